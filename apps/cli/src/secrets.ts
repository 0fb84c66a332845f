import type { Command } from 'commander';
import { text } from 'node:stream/consumers';
import { CommandFailure, exitCodes } from './exit-codes.js';
import { onInstance, withInstance, type InstanceOptions } from './instance.js';
import { print, printJson } from './output.js';

/** `rockpool secrets`: values go in, and never come out. */
export function registerSecrets(program: Command): void {
  const secrets = program.command('secrets').description('store secrets of tenants, encrypted; no command shows one');
  onInstance(
    secrets.command('set <tenant> <field>').description('store a value, from a prompt or from stdin; "platform" owns the shared bots’'),
    ['rockpool secrets set alice telegram-bot-token', 'rockpool secrets set platform slack-signing-secret < secret.txt'],
  ).action(async (tenant: string, field: string, options: InstanceOptions) => {
    const value = await readSecret(`${tenant}/${field}`);
    // Secrets may be stored before anything else is.
    await withInstance(options, ({ controlPlane }) => controlPlane.setSecret({ tenant, field }, value), { create: true });
    if (options.json) printJson({ stored: `secret://${tenant}/${field}` });
    else print(`Stored. Refer to it as secret://${tenant}/${field}.`);
  });
}

/** Not from an argument: those are seen by everybody on the machine, and kept in the shell's history. */
async function readSecret(name: string): Promise<string> {
  if (!process.stdin.isTTY) return (await text(process.stdin)).replace(/\r?\n$/, '');
  const { isCancel, password } = await import('@clack/prompts');
  const value = await password({ message: `Value of ${name}` });
  if (isCancel(value)) throw new CommandFailure(exitCodes.problem, 'Nothing was stored.');
  return value;
}
