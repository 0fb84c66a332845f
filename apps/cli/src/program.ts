import { Command } from 'commander';
import { registerApply } from './apply.js';
import { registerChat } from './chat.js';
import { registerDeadLetters } from './dead-letters.js';
import { registerDoctor } from './doctor.js';
import { registerInbox } from './inbox.js';
import { registerJobs } from './jobs.js';
import { registerMigrate } from './migrate/migrate.js';
import { registerSchedules } from './schedules.js';
import { registerSecrets } from './secrets.js';
import { registerStart } from './start.js';
import { registerTenants } from './tenants.js';
import { registerTrace } from './trace.js';
import { registerUsage } from './usage.js';
import { version } from './version.js';

/** The command line. What a command needs is loaded when it runs, so that `--help` answers at once. */
export function createProgram(): Command {
  const program = new Command('rockpool')
    .description('Hosts many isolated AI assistants behind one durable, event-driven front door.')
    .version(version)
    .showSuggestionAfterError()
    .showHelpAfterError('(--help shows how)')
    .exitOverride();
  const registrations = [
    registerStart,
    registerChat,
    registerApply,
    registerTenants,
    registerUsage,
    registerSecrets,
    registerJobs,
    registerSchedules,
    registerInbox,
    registerTrace,
    registerDeadLetters,
    registerDoctor,
    registerMigrate,
  ];
  for (const register of registrations) register(program);
  return program;
}
