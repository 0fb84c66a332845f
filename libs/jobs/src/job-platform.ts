import type { Documents } from '@rockpool/cloud';
import { Builders } from './builders.js';
import { systemClock, type Clock } from './clock.js';
import { JobClaims, type JobLeaseOptions } from './job-claims.js';
import { JobCreation } from './job-creation.js';
import type { JobKinds } from './job-kind.js';
import type { JobOutcomes } from './job-outcomes.js';
import { JobPlaces, type JobPlacesOptions } from './job-places.js';
import { JobRunner } from './job-runner.js';
import { JobSweep } from './job-sweep.js';
import type { JobTasks } from './job-tasks.js';
import { Jobs } from './jobs.js';
import { Settlement, type OnJobWarning } from './settlement.js';

/** What jobs need of the process they live in. */
export interface JobPlatformNeeds {
  readonly documents: Documents;
  readonly tasks: JobTasks;
  /** Those this process can run; empty where it runs none. */
  readonly kinds: JobKinds;
  readonly outcomes: JobOutcomes;
  readonly leases: JobLeaseOptions;
  readonly places: JobPlacesOptions;
  readonly clock?: Clock;
  /** Told of what went wrong without anybody failing for it. Must not throw. */
  readonly onWarning: OnJobWarning;
}

/** Jobs as a process has them: the commands take `jobs`, the endpoint of slices `runner`, whoever looks after things each minute `sweep`. */
export interface JobPlatform {
  readonly jobs: Jobs;
  readonly runner: JobRunner;
  readonly sweep: JobSweep;
  readonly outcomes: JobOutcomes;
}

/** Puts the parts together. Opens nothing, starts nothing. */
export function jobPlatform(needs: JobPlatformNeeds): JobPlatform {
  const { documents, tasks, kinds, outcomes, clock = systemClock, onWarning } = needs;
  const places = new JobPlaces(documents, needs.places, clock);
  const claims = new JobClaims(documents, places, tasks, needs.leases, clock);
  const creation = new JobCreation(documents, tasks, clock);
  const builders = new Builders(documents, creation, tasks, clock);
  const settlement = new Settlement(documents, claims, places, builders, outcomes, { clock, onWarning });
  return {
    jobs: new Jobs(documents, creation, tasks, settlement, clock),
    runner: new JobRunner(documents, claims, builders, settlement, kinds, { clock, outcomes, onWarning }),
    sweep: new JobSweep(documents, claims, places, tasks, settlement, { clock, onWarning }),
    outcomes,
  };
}
