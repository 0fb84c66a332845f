import type { Documents, Json } from '@rockpool/cloud';
import { crashPoint, isTerminal, TerminalError, type EventId, type FireSchedule, type TenantId } from '@rockpool/contracts';
import type { Clock } from './clock.js';
import { longestAheadMs } from './job-tasks.js';
import { nextOccurrence, quietUntil } from './occurrences.js';
import { occurrenceId, schedulePaths, type PromptEffect, type ScheduleEffect, type ScheduleRecord } from './schedule-records.js';
import { longestFiringMs, type ScheduleTasks } from './schedule-tasks.js';

/** An occurrence, as what it does sees it. */
export interface Occurrence {
  readonly tenantId: TenantId;
  readonly scheduleId: ScheduleRecord['scheduleId'];
  /** The same whenever this occurrence is fired again: an event with this id exists once. */
  readonly eventId: EventId;
  readonly plannedAt: number;
  /** Who made the schedule. */
  readonly createdBy: string;
  /** True when its time is over for minutes. */
  readonly late: boolean;
}

/** Puts prompts into conversations, each occurrence once. A `TerminalError` means that this conversation can never take one. */
export abstract class SchedulePrompts {
  abstract put(occurrence: Occurrence, effect: PromptEffect): Promise<void>;
}

/** A function of the platform that a schedule runs. It may be run again for the same occurrence, after a crash, but never twice at one time. */
export type UpkeepFunction = (occurrence: Occurrence, input: Json | undefined, signal: AbortSignal) => Promise<void>;

/** What became of a task. The task is done with all of them but `held`, which comes again. */
export type Firing =
  | { readonly kind: 'fired' | 'skipped' | 'failed'; readonly eventId: EventId }
  /** The occurrence fired before, or the schedule was changed, paused or deleted. */
  | { readonly kind: 'duplicate' }
  /** It is not time yet; another task exists. */
  | { readonly kind: 'early' }
  /** Its upkeep is running. */
  | { readonly kind: 'held'; readonly retryAfterMs: number };

/** An occurrence is late for so long before it counts as missed. Longer than it takes the sweep to mend a lost task. */
const missedAfterMs = 5 * 60_000;
const endedKeptMs = 30 * 86_400_000;

/** Fires occurrences: the effect first, under the occurrence's own id, then the schedule moves on. Never early, and once however often it is asked. */
export class ScheduleFiring {
  constructor(
    private readonly documents: Documents,
    private readonly tasks: ScheduleTasks,
    private readonly prompts: SchedulePrompts,
    private readonly upkeep: ReadonlyMap<string, UpkeepFunction>,
    private readonly clock: Clock,
  ) {}

  /** Rejects when the effect could not be had now: the task comes again. */
  async fire({ tenantId, scheduleId, plannedAt, hop }: FireSchedule, signal: AbortSignal): Promise<Firing> {
    const schedule = (await this.documents.get<ScheduleRecord>(schedulePaths.schedule(tenantId, scheduleId)))?.data;
    if (schedule?.state !== 'active' || schedule.nextAt !== plannedAt) return { kind: 'duplicate' };
    const now = this.clock.now();
    if (now < plannedAt) {
      // An older task of it is followed by one already.
      if (hop === schedule.hop) await this.rearm(schedule);
      return { kind: 'early' };
    }
    const late = now - plannedAt > missedAfterMs;
    const eventId = occurrenceId(schedule, plannedAt);
    if (late && schedule.missed === 'skip') return this.moveOn(schedule, plannedAt, 'skipped', 'it was missed');
    const quietEnd = late && schedule.quiet ? quietUntil(schedule.quiet, now) : undefined;
    if (quietEnd !== undefined) {
      const later = schedule.quiet!.then === 'later' ? quietEnd : undefined;
      return this.moveOn(schedule, plannedAt, 'skipped', 'it would have come late, in quiet hours', later);
    }
    try {
      const busy = await this.does(schedule, { tenantId, scheduleId, eventId, plannedAt, createdBy: schedule.createdBy, late }, signal);
      if (busy) return busy;
    } catch (error) {
      if (!isTerminal(error)) throw error;
      return this.moveOn(schedule, plannedAt, 'failed', (error as Error).message);
    }
    crashPoint('after-fire-before-advance');
    return this.moveOn(schedule, plannedAt, 'fired');
  }

  /** Does what the schedule does, now and beside its times. `requestId` names the request, so that repeating it does nothing more. Rejects when it cannot. */
  async runNow(schedule: ScheduleRecord, requestId: string, signal: AbortSignal): Promise<EventId> {
    const { tenantId, scheduleId, createdBy } = schedule;
    const eventId = `${occurrenceId(schedule, schedule.createdAt)}:now:${encodeURIComponent(requestId)}` as EventId;
    await this.effect(schedule.effect, { tenantId, scheduleId, eventId, plannedAt: this.clock.now(), createdBy, late: false }, signal);
    return eventId;
  }

  /** Makes another task for the occurrence to come: the one there was came early, or is lost. */
  async rearm({ tenantId, scheduleId, nextAt, hop }: ScheduleRecord): Promise<boolean> {
    const armed = await this.documents.transaction(async (transaction) => {
      const path = schedulePaths.schedule(tenantId, scheduleId);
      const schedule = (await transaction.get<ScheduleRecord>(path))?.data;
      if (schedule?.state !== 'active' || schedule.nextAt !== nextAt || schedule.hop !== hop) return undefined;
      const next = armedFor(schedule, nextAt, this.clock.now());
      transaction.set(path, next);
      return next;
    });
    if (armed) await this.tasks.create(armed);
    return armed !== undefined;
  }

  private async does(schedule: ScheduleRecord, occurrence: Occurrence, signal: AbortSignal): Promise<Firing | undefined> {
    if (schedule.effect.kind === 'upkeep') {
      // A prompt that is put twice is one event; upkeep is a function like any other, so one at a time.
      const heldMs = await this.takeTurn(schedule, occurrence.plannedAt);
      if (heldMs > 0) return { kind: 'held', retryAfterMs: heldMs };
    }
    try {
      await this.effect(schedule.effect, occurrence, signal);
    } catch (error) {
      if (schedule.effect.kind === 'upkeep') await this.leaveTurn(schedule);
      throw error;
    }
    return undefined;
  }

  private async effect(effect: ScheduleEffect, occurrence: Occurrence, signal: AbortSignal): Promise<void> {
    if (effect.kind !== 'upkeep') return this.prompts.put(occurrence, effect);
    const upkeep = this.upkeep.get(effect.name);
    if (!upkeep) throw new TerminalError(`there is no upkeep ${effect.name}`);
    await upkeep(occurrence, effect.input, signal);
  }

  /** Resolves with how long to wait, 0 when it is ours until the schedule moves on. */
  private async takeTurn({ tenantId, scheduleId }: ScheduleRecord, plannedAt: number): Promise<number> {
    return this.documents.transaction(async (transaction) => {
      const path = schedulePaths.schedule(tenantId, scheduleId);
      const schedule = (await transaction.get<ScheduleRecord>(path))?.data;
      const now = this.clock.now();
      if (schedule?.nextAt !== plannedAt) return 1_000;
      if (schedule.busyUntil !== undefined && schedule.busyUntil > now) return schedule.busyUntil - now;
      transaction.set(path, { ...schedule, busyUntil: now + longestFiringMs });
      return 0;
    });
  }

  private async leaveTurn({ tenantId, scheduleId }: ScheduleRecord): Promise<void> {
    await this.documents.transaction(async (transaction) => {
      const path = schedulePaths.schedule(tenantId, scheduleId);
      const schedule = (await transaction.get<ScheduleRecord>(path))?.data;
      if (!schedule) return;
      const { busyUntil: _, ...rest } = schedule;
      transaction.set(path, rest);
    });
  }

  /** The occurrence is over: what comes next is planned, with its task. Once, however many come here. */
  private async moveOn(
    { tenantId, scheduleId }: ScheduleRecord,
    plannedAt: number,
    outcome: 'fired' | 'skipped' | 'failed',
    reason?: string,
    later?: number,
  ): Promise<Firing> {
    const path = schedulePaths.schedule(tenantId, scheduleId);
    const now = this.clock.now();
    const moved = await this.documents.transaction(async (transaction) => {
      const schedule = (await transaction.get<ScheduleRecord>(path))?.data;
      if (schedule?.state !== 'active' || schedule.nextAt !== plannedAt) return undefined;
      const { busyUntil: _, ...rest } = schedule;
      const counted: ScheduleRecord = {
        ...rest,
        fired: schedule.fired + (outcome === 'fired' ? 1 : 0),
        skipped: schedule.skipped + (outcome === 'fired' ? 0 : 1),
        last: { plannedAt, firedAt: now, outcome, ...(reason && { reason }) },
      };
      const next = armedFor(counted, later ?? nextOccurrence(schedule.when, schedule.quiet, this.after(schedule, plannedAt, now)), now);
      transaction.set(path, next, next.state === 'ended' ? { expireAt: new Date(now + endedKeptMs) } : undefined);
      return next;
    });
    crashPoint('after-advance-before-task');
    if (moved) await this.tasks.create(moved);
    return { kind: outcome, eventId: occurrenceId({ scheduleId }, plannedAt) };
  }

  /**
   * From when on the next one counts. In time: from this one, so that each fires, also when they come faster than they are handled. A late one stood for all that were missed.
   * Where missed ones are left out: from the first that is not missed.
   */
  private after({ missed }: ScheduleRecord, plannedAt: number, now: number): number {
    if (now - plannedAt <= missedAfterMs) return plannedAt;
    return missed === 'fire-late' ? now : Math.max(plannedAt, now - missedAfterMs);
  }
}

/** The schedule with its next occurrence and a task to be made for it; ended when there is none. */
export function armedFor(schedule: ScheduleRecord, nextAt: number | undefined, now: number): ScheduleRecord {
  const { nextAt: _, armedAt: __, ...rest } = schedule;
  if (nextAt === undefined) return { ...rest, state: 'ended', updatedAt: now };
  return {
    ...rest,
    state: 'active',
    nextAt,
    armedAt: Math.max(now, Math.min(nextAt, now + longestAheadMs)),
    hop: schedule.hop + 1,
    updatedAt: now,
  };
}
