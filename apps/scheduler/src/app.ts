import type { App } from '@rockpool/platform';
import { SchedulerModule } from './scheduler.module.js';

const sweepEveryMs = 60_000;

/** The scheduler. */
export const schedulerApp: App = {
  name: 'scheduler',
  summary: 'does what has to happen at its time.',
  needs: () => ({
    ROCKPOOL_AGENT_HOST_URL: 'jobs that it takes up go on there',
    ROCKPOOL_SCHEDULER_URL: 'it is its own address, and it accepts tokens for this one only',
  }),
  module: ({ config, audiences, jobsOf, upkeepOf }) =>
    SchedulerModule.register({
      audience: audiences.scheduler,
      jobSweep: (log) => jobsOf({ log }).sweep,
      upkeep: (log) => upkeepOf({ log }),
      worksInBulk: config.ROCKPOOL_ENGINE === 'google',
      // On Cloud Run nothing runs between requests: there Cloud Scheduler keeps the time.
      ...(config.K_SERVICE === undefined && { sweepEveryMs }),
    }),
};
