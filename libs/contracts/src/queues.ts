const slicesOfJobs = {
  maxDispatchesPerSecond: 500,
  maxConcurrentDispatches: 400,
  // A task that is given up is mended by the sweep, with a new one.
  maxAttempts: 100,
  maxRetryDurationMs: 86_400_000,
  minBackoffMs: 1_000,
  maxBackoffMs: 60_000,
} as const;

/**
 * The task queues of the platform, by name, with the limits that `QueueSpec` of `@rockpool/cloud` describes. Engines make them from this, Terraform too. Slices of jobs
 * have one queue for each priority, so that a crowd of low ones is never in front of a high one; `schedules` has what fires at its time.
 */
export const queues = {
  'job-slices-high': { name: 'job-slices-high', ...slicesOfJobs },
  'job-slices-normal': { name: 'job-slices-normal', ...slicesOfJobs },
  'job-slices-low': { name: 'job-slices-low', ...slicesOfJobs, maxDispatchesPerSecond: 125, maxConcurrentDispatches: 100 },
  schedules: { name: 'schedules', ...slicesOfJobs },
} as const;

export type QueueName = keyof typeof queues;
