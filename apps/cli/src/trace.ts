import type { Command } from 'commander';
import { CommandFailure, exitCodes } from './exit-codes.js';
import { onInstance, withInstance, type InstanceOptions } from './instance.js';
import { print, printJson } from './output.js';

/** `rockpool trace`: one message from the webhook to the last send. */
export function registerTrace(program: Command): void {
  const command = program.command('trace <id>').description('where the time of one message went, from the webhook to the last send');
  onInstance(command, ['rockpool trace telegram:110201543:update:8412', 'rockpool trace 4bf92f3577b34da6a3ce929d0e0e4736 --json']).action(
    async (id: string, options: InstanceOptions) => {
      // An event as the inbox prints it has its tenant in front.
      const eventId = id.slice(id.indexOf('/') + 1);
      const spans = await withInstance(options, ({ controlPlane }) => controlPlane.trace(eventId));
      if (options.json) return printJson(spans);
      if (spans.length === 0)
        throw new CommandFailure(exitCodes.problem, `No trace of ${id} is kept. It takes a second to appear, and old ones are dropped.`);
      const { renderWaterfall } = await import('@rockpool/service');
      const { columns = 100, isTTY } = process.stdout;
      print(renderWaterfall(spans, { width: columns, color: isTTY && process.stdout.hasColors() }));
    },
  );
}
