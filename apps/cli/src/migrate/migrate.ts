import type { Command } from 'commander';
import { exitCodesHelp } from '../exit-codes.js';

export interface MigrateOptions {
  readonly dataDir?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly merge?: boolean;
  readonly json?: boolean;
}

/** `rockpool migrate`: a data folder moves to Google Cloud. */
export function registerMigrate(program: Command): void {
  program
    .command('migrate')
    .description('move everything from a data folder to Google Cloud, and compare both ends afterwards')
    .option('--data-dir <folder>', 'the folder to move; nothing may run on it (default: $ROCKPOOL_DATA_DIR, else ./.rockpool)')
    .option('--dry-run', 'say what would be moved, and whether it can be')
    .option('--yes', 'do not ask (it does not ask either when this is no terminal)')
    .option('--force', 'leave dead letters behind: they stay in the folder')
    .option('--merge', 'the target may have other tenants already; nothing of theirs is changed')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Where it goes, the environment says, as for the apps over there (docs/configuration.md):
  GOOGLE_CLOUD_PROJECT          the project (required)
  ROCKPOOL_REGION, ROCKPOOL_BUCKET, ROCKPOOL_FIRESTORE_DATABASE
  ROCKPOOL_KEY_FILE             the key of the folder's secrets, if it is not in its usual place

Whatever is in the target already stays as it is. Ctrl-C stops it; started again, it goes on. docs/migrate.md has it step by step.

Examples:
  $ GOOGLE_CLOUD_PROJECT=my-project rockpool migrate --dry-run
  $ GOOGLE_CLOUD_PROJECT=my-project rockpool migrate --data-dir /var/lib/rockpool
${exitCodesHelp}`,
    )
    .action(async (options: MigrateOptions) => {
      const { runMigrate } = await import('./run-migrate.js');
      await runMigrate(options);
    });
}
