import { loadConfig } from '@rockpool/service';
import { configEnvironment } from '../environment.js';
import { CommandFailure, exitCodes } from '../exit-codes.js';
import { withInterrupts } from '../interrupts.js';
import { print, printJson } from '../output.js';
import type { MigrateOptions } from './migrate.js';
import { moveFolder, type MigrationPlan } from './move-folder.js';
import { Progress } from './progress.js';
import { comparisonText, planText } from './report.js';

/** Shows the plan, asks, moves, and says how it went. */
export async function runMigrate(options: MigrateOptions): Promise<void> {
  const config = loadConfig(configEnvironment, { ROCKPOOL_ENGINE: 'google', ROCKPOOL_DATA_DIR: options.dataDir });
  const { force = false, merge = false, dryRun = false, json = false } = options;
  const progress = new Progress();
  const outcome = await withInterrupts((signal) =>
    moveFolder(
      config,
      { force, merge, dryRun, signal },
      {
        async agrees(plan) {
          progress.expect(plan);
          if (!json) print(planText(plan));
          return agreed(options);
        },
        copied: (step, through) => progress.copied(step, through),
        compared: (documents) => progress.compared(documents),
      },
    ).catch((error: unknown) => {
      if (!signal.aborted) throw error;
      throw new CommandFailure(exitCodes.problem, 'Stopped. What was copied stays; the same command goes on from there.');
    }),
  );
  if (json) printJson(outcome);
  else if (outcome.comparison) print(comparisonText(outcome.comparison, { ...outcome.plan, problems: outcome.problems }));
  else if (dryRun || isRefused(outcome.plan)) print(planText(outcome.plan));
  if (isRefused(outcome.plan) || (outcome.comparison && !outcome.moved)) process.exitCode = exitCodes.problem;
}

const isRefused = ({ refusals }: MigrationPlan): boolean => refusals.length > 0;

async function agreed({ yes, json }: MigrateOptions): Promise<boolean> {
  if (yes || json || !process.stdin.isTTY || !process.stdout.isTTY) return true;
  const { confirm } = await import('@clack/prompts');
  return (await confirm({ message: 'Move it?', initialValue: false })) === true;
}
