import type { Command } from 'commander';
import { onInstance, type InstanceOptions } from './instance.js';

export interface DoctorOptions extends InstanceOptions {
  readonly network: boolean;
}

/** `rockpool doctor`: is all well, and what to do if not. */
export function registerDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description('look at everything that must work, and say what to do about what does not')
    .option('--no-network', 'ask nothing outside this installation: no Telegram, no model server, no clock of others');
  onInstance(command, ['rockpool doctor', 'rockpool doctor --no-network --json']).action(async (options: DoctorOptions) => {
    const { runDoctor } = await import('./run-doctor.js');
    await runDoctor(options);
  });
}
