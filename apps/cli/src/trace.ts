import type { Command } from 'commander';
import { onInstance, type InstanceOptions } from './instance.js';

/** `rockpool trace`: one message from the webhook to the last send. */
export function registerTrace(program: Command): void {
  const command = program.command('trace <id>').description('where the time of one message went, from the webhook to the last send');
  onInstance(command, ['rockpool trace telegram:110201543:update:8412', 'rockpool trace 4bf92f3577b34da6a3ce929d0e0e4736 --json']).action(
    async (id: string, options: InstanceOptions) => {
      const { runTrace } = await import('./run-trace.js');
      await runTrace(id, options);
    },
  );
}
