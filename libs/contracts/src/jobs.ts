import { z } from 'zod';
import { tenantId, type TenantId } from './ids.js';

const pathSafe = z
  .string()
  .min(1)
  .max(600)
  .regex(/^[^/\p{Cc}]+$/u, 'no slash and no control character');

/** Names one job within its tenant. A turn that becomes a job gives it its own event id (after a replay with `~` and a number), so that becoming one twice is impossible. */
export const jobId = pathSafe.brand<'JobId'>();
export type JobId = z.infer<typeof jobId>;

/** A job as an operator names it within its tenant: by its id, or as people do, `12` and `12/key` for a builder. */
export const jobName = z
  .string()
  .min(1)
  .max(600)
  .regex(/^(?!\.\.?$)\P{Cc}+$/u, 'a job is named by its number, as 12 or 12/research, or by its id');

/** Names one schedule within its tenant. */
export const scheduleId = pathSafe.brand<'ScheduleId'>();
export type ScheduleId = z.infer<typeof scheduleId>;

/** In this order; each has a queue of its own, so that a crowd of low ones is never in front of a high one. */
export const jobPriority = z.enum(['high', 'normal', 'low']);
export type JobPriority = z.infer<typeof jobPriority>;

/** Owner of the platform's own schedules, its upkeep. Not a valid tenant id, so no tenant can have this name. */
export const platformOwner = '_platform' as TenantId;

/** Body of the task that runs a job for a while. A task whose `slice` is not the one the job waits for is a duplicate, or late: it does nothing. */
export const runJobSlice = z.object({ tenantId, jobId, slice: z.number().int().positive() });
export type RunJobSlice = z.infer<typeof runJobSlice>;

/** Where agent hosts take {@link RunJobSlice}. */
export const runJobSlicePath = '/internal/jobs/run';

/** Provider types of what the platform itself has to say in a conversation: it is said as it is, no agent is asked. */
export const announcements = { jobEnded: 'rockpool.job-ended', jobAsks: 'rockpool.job-asks' } as const;

/** Provider type of a message that the platform puts into a conversation at its times, and that may be answered by silence. */
export const heartbeatMessage = 'rockpool.heartbeat';

/** Where the scheduler takes {@link FireSchedule}. */
export const fireSchedulePath = '/internal/schedules/fire';

/** Body of the task that fires a schedule, or bridges a part of a long wait for it. `plannedAt`: epoch milliseconds; `hop`: which of the schedule's tasks it is. */
export const fireSchedule = z.object({
  tenantId: z.union([tenantId, z.literal(platformOwner as string).transform((owner) => owner as TenantId)]),
  scheduleId,
  plannedAt: z.number().int(),
  hop: z.number().int().nonnegative(),
});
export type FireSchedule = z.infer<typeof fireSchedule>;
