import type { Command } from 'commander';
import { onInstance, withInstance, type InstanceOptions } from './instance.js';
import { print, printJson, table } from './output.js';

/** `rockpool dead-letters`: what the bus gave up on. */
export function registerDeadLetters(program: Command): void {
  const deadLetters = program.command('dead-letters').description('messages between the apps that were given up after all their attempts');
  onInstance(deadLetters.command('list', { isDefault: true }).description('all, with the reason'), ['rockpool dead-letters']).action(
    async (options: InstanceOptions) => {
      const items = await withInstance(options, ({ controlPlane }) => controlPlane.deadLetters());
      if (options.json) return printJson(items);
      const rows = items.map((letter) => [
        letter.subscription,
        letter.attributes['ce-id'] ?? letter.messageId,
        letter.deadAt,
        String(letter.attempts),
        letter.reason,
      ]);
      print(rows.length > 0 ? table(['SUBSCRIPTION', 'EVENT', 'SINCE', 'TRIES', 'REASON'], rows) : 'There is none.');
    },
  );
  onInstance(deadLetters.command('replay').description('put them all back, with their attempts at zero'), [
    'rockpool dead-letters replay',
  ]).action(async (options: InstanceOptions) => {
    const replayed = await withInstance(options, ({ controlPlane }) => controlPlane.replayDeadLetters());
    if (options.json) printJson({ replayed });
    else print(`${replayed} went back.`);
  });
}
