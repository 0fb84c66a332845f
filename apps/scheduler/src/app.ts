import type { App } from '@rockpool/platform';
import { SchedulerModule } from './scheduler.module.js';

const sweepEveryMs = 60_000;

/** The scheduler. */
export const schedulerApp: App = {
  name: 'scheduler',
  summary: 'does what has to happen at its time.',
  needs: () => ({ ROCKPOOL_SCHEDULER_URL: 'it is its own address, and it accepts tokens for this one only' }),
  module: ({ config, audiences }) =>
    SchedulerModule.register({
      audience: audiences.scheduler,
      worksInBulk: config.ROCKPOOL_ENGINE === 'google',
      // On Cloud Run nothing runs between requests: there Cloud Scheduler keeps the time.
      ...(config.K_SERVICE === undefined && { sweepEveryMs }),
    }),
};
