import { join } from 'node:path';
import { StoppedEngine } from '@rockpool/cloud-embedded';
import { openEngine } from '@rockpool/platform';
import type { PlatformConfig } from '@rockpool/service';
import { CommandFailure, exitCodes } from '../exit-codes.js';
import { exists } from '../instance.js';
import { Comparing, type Comparison } from './comparison.js';
import { Migration, type MigrationStep } from './migration.js';
import { surveyOf, type Survey } from './survey.js';

/** What is about to be moved, and what has to be done before it can be. */
export interface MigrationPlan extends Survey {
  readonly from: string;
  readonly to: string;
  readonly refusals: readonly string[];
  /** It was moved before, and is compared only. */
  readonly movedBefore: boolean;
}

/** Follows a migration. */
export interface MigrationFollower {
  /** Asked once, when nothing is in the way: whether to begin. */
  agrees(plan: MigrationPlan): Promise<boolean>;
  copied(step: MigrationStep, through: number): void;
  compared(documents: number): void;
}

export interface MoveOptions {
  /** Leaves behind what was given up. */
  readonly force: boolean;
  /** The target may have tenants of its own. */
  readonly merge: boolean;
  /** Looks only. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/** What came of it. Without a comparison nothing was moved. */
export interface Moved {
  readonly plan: MigrationPlan;
  readonly comparison?: Comparison;
  /** What the target would not take, and why. */
  readonly problems: readonly string[];
  /** Everything is there, and the folder is marked as moved. */
  readonly moved: boolean;
}

/**
 * Moves the data folder of this configuration to the Google engine of the same: looks at both ends, copies, compares. Rejects with `unavailable` when a process holds the
 * folder, when its key file is missing, and when a service does not answer for long; begun again, it goes on.
 */
export async function moveFolder(config: PlatformConfig, options: MoveOptions, follower: MigrationFollower): Promise<Moved> {
  const { ROCKPOOL_DATA_DIR: dataDir, ROCKPOOL_KEY_FILE: keyFile } = config;
  if (!(await exists(join(dataDir, 'rockpool.db')))) {
    throw new CommandFailure(exitCodes.unavailable, `There is no data folder at ${dataDir}. Name it: --data-dir`);
  }
  const source = await StoppedEngine.open({ dataDir, keyFile });
  try {
    const survey = await surveyOf(source, config.ROCKPOOL_SPOOL_DIR ?? join(dataDir, 'spool'));
    // A look makes nothing over there.
    const settings = options.dryRun ? { ...config, ROCKPOOL_CREATE_TOPOLOGY: false } : config;
    const { cloud: target } = await openEngine(settings, { service: 'console', baseUrl: () => '' });
    try {
      const { merge, signal } = options;
      const onProgress = (step: MigrationStep, through: number) => follower.copied(step, through);
      const migration = await Migration.of({ source, target, dataDir, targetName: targetOf(config), merge, signal, onProgress });
      const refusal = await migration.refusal();
      const refusals = [...refusalsOf(survey, options), ...(refusal === undefined ? [] : [refusal])];
      const plan = { from: dataDir, to: targetOf(config), ...survey, refusals, movedBefore: migration.isComplete };
      if (refusals.length > 0 || options.dryRun || !(await follower.agrees(plan))) return { plan, problems: [], moved: false };
      await migration.copy();
      const onCompared = (documents: number) => follower.compared(documents);
      const comparison = await new Comparing(source, target, { signal, merge, onProgress: onCompared }).run();
      const moved = comparison.differenceCount === 0;
      await (moved ? migration.complete() : migration.reopen());
      return { plan, comparison, problems: migration.problems, moved };
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

function refusalsOf({ unfinished, leftBehind }: Survey, { force }: MoveOptions): string[] {
  return [
    ...unfinished.map((what) => `${what}: start the instance once more without its webhooks, let it finish, and stop it`),
    ...(force ? [] : leftBehind.map((what) => `${what}: have them replayed while it runs, or leave them in the folder with --force`)),
  ];
}

function targetOf({ GOOGLE_CLOUD_PROJECT, ROCKPOOL_FIRESTORE_DATABASE, ROCKPOOL_BUCKET }: PlatformConfig): string {
  return `project ${GOOGLE_CLOUD_PROJECT}, database ${ROCKPOOL_FIRESTORE_DATABASE}, bucket ${ROCKPOOL_BUCKET}`;
}
