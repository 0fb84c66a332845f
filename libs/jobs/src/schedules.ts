import { isDeepStrictEqual } from 'node:util';
import type { Documents } from '@rockpool/cloud';
import {
  Conflict,
  crashPoint,
  InvalidInput,
  NotFound,
  type ConversationId,
  type EventId,
  type ScheduleId,
  type TenantId,
} from '@rockpool/contracts';
import type { Clock } from './clock.js';
import { checkTimes, nextOccurrence, type QuietHours, type When } from './occurrences.js';
import { armedFor, type ScheduleFiring } from './schedule-firing.js';
import { occurrenceId, schedulePaths, type ScheduleCounter, type ScheduleEffect, type ScheduleRecord } from './schedule-records.js';
import type { ScheduleTasks } from './schedule-tasks.js';

/** A schedule as somebody wants it. */
export interface ScheduleWish {
  readonly title: string;
  readonly when: When;
  readonly effect: ScheduleEffect;
  readonly quiet?: QuietHours;
  /** Default `fire-late`. */
  readonly missed?: 'fire-late' | 'skip';
  /** A sender's id, `tenants.yaml`, `platform`. */
  readonly createdBy: string;
}

/** Planning takes moments, and a little longer where everybody is at work. */
const justOverMs = 60_000;
const longestTitle = 200;
const longestText = 10_000;
/** Active and paused ones of a tenant. */
const defaultPerTenant = 500;
/** What the list of all tenants has, in this order: by when they come, then by when they were paused. */
const listedStates = [
  { state: 'active', orderedBy: 'nextAt' },
  { state: 'paused', orderedBy: 'updatedAt' },
] as const;

/** Schedules of a tenant: made, looked at, paused, deleted. Every method bears being repeated. */
export class Schedules {
  constructor(
    private readonly documents: Documents,
    private readonly tasks: ScheduleTasks,
    private readonly firing: ScheduleFiring,
    private readonly clock: Clock,
    private readonly options: { readonly perTenant?: number } = {},
  ) {}

  /**
   * Makes a schedule, or changes the one with this id to what is wanted; where that is what it is, nothing happens, also when it is paused. The id is a pure function
   * of what asks for it. Rejects with `invalid` when it never comes, or the tenant has too many.
   */
  async put(tenantId: TenantId, scheduleId: ScheduleId, wish: ScheduleWish): Promise<ScheduleRecord> {
    const { title, when, effect, quiet, missed = 'fire-late', createdBy } = wish;
    checkTimes(when, quiet);
    if ('text' in effect && (effect.text.trim() === '' || effect.text.length > longestText))
      throw new InvalidInput(`what a schedule says has 1 to ${longestText} characters`);
    const definition = { title: title.slice(0, longestTitle), when, effect, ...(quiet && { quiet }), missed, createdBy };
    const path = schedulePaths.schedule(tenantId, scheduleId);
    if (!(await this.documents.get(path))) await this.refuseTooMany(tenantId);
    const [record, isNew] = await this.documents.transaction(async (transaction) => {
      const existing = (await transaction.get<ScheduleRecord>(path))?.data;
      if (existing && isDeepStrictEqual(definitionOf(existing), definition)) return [existing, false];
      const now = this.clock.now();
      const nextAt = nextOccurrence(when, quiet, now) ?? justOver(when, now);
      if (nextAt === undefined) throw new InvalidInput('the time of the schedule never comes, or is over');
      const counter = existing ? undefined : await transaction.get<ScheduleCounter>(schedulePaths.counter(tenantId));
      const number = existing?.number ?? (counter?.data.last ?? 0) + 1;
      if (!existing) transaction.set(schedulePaths.counter(tenantId), { last: number } satisfies ScheduleCounter);
      const base = existing ?? {
        tenantId,
        scheduleId,
        number,
        state: 'active',
        hop: 0,
        fired: 0,
        skipped: 0,
        createdAt: now,
        updatedAt: now,
      };
      const { quiet: _, nextAt: __, armedAt: ___, ...kept } = base as ScheduleRecord;
      const wanted: ScheduleRecord = { ...kept, ...definition, updatedAt: now };
      const next = wanted.state === 'paused' ? wanted : armedFor(wanted, nextAt, now);
      transaction.set(path, next);
      return [next, true];
    });
    crashPoint('after-schedule-before-task');
    // One that was not changed may be one whose maker died right here: its task has a name, so another is none.
    if (record.state === 'active' && (isNew || record.fired === 0)) await this.tasks.create(record);
    return record;
  }

  /** The schedule with this id, if there is one; one that ended is found for a month. */
  async find(tenantId: TenantId, scheduleId: ScheduleId): Promise<ScheduleRecord | undefined> {
    return (await this.documents.get<ScheduleRecord>(schedulePaths.schedule(tenantId, scheduleId)))?.data;
  }

  /** Rejects with `not_found`. */
  async get(tenantId: TenantId, scheduleId: ScheduleId): Promise<ScheduleRecord> {
    const schedule = await this.find(tenantId, scheduleId);
    if (!schedule) throw new NotFound(`there is no schedule ${scheduleId}`);
    return schedule;
  }

  /** By id. Those that ended are in it for a month. */
  async list(
    tenantId: TenantId,
    page: { limit?: number; cursor?: string } = {},
  ): Promise<{ items: ScheduleRecord[]; nextCursor?: string }> {
    const { items, nextCursor } = await this.documents.query<ScheduleRecord>({
      from: { collection: schedulePaths.schedules(tenantId) },
      limit: page.limit ?? 100,
      ...(page.cursor && { cursor: page.cursor }),
    });
    return { items: items.map(({ data }) => data), ...(nextCursor && { nextCursor }) };
  }

  /** Those of all tenants that have not ended, the platform's own among them, by when they come; paused ones last. */
  async listAll({ limit = 100, cursor = 'active:' }: { limit?: number; cursor?: string } = {}): Promise<{
    items: ScheduleRecord[];
    nextCursor?: string;
  }> {
    const [begun = '', from] = cursor.split(/:(.*)/s);
    const first = listedStates.findIndex(({ state }) => state === begun);
    if (first < 0 || from === undefined) throw new InvalidInput('this is not the cursor of a list of schedules');
    const items: ScheduleRecord[] = [];
    let after = from;
    for (const { state, orderedBy: field } of listedStates.slice(first)) {
      if (items.length === limit) return { items, nextCursor: `${state}:` };
      const page = await this.documents.query<ScheduleRecord>({
        from: { group: 'schedules' },
        where: { state },
        orderBy: { field },
        limit: limit - items.length,
        ...(after && { cursor: after }),
      });
      items.push(...page.items.map(({ data }) => data));
      if (page.nextCursor) return { items, nextCursor: `${state}:${page.nextCursor}` };
      after = '';
    }
    return { items };
  }

  /** Those of one conversation that have not ended, by when they come; paused ones last. */
  async ofConversation(tenantId: TenantId, conversationId: ConversationId): Promise<ScheduleRecord[]> {
    const own: ScheduleRecord[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.list(tenantId, { limit: 1000, ...(cursor && { cursor }) });
      for (const schedule of page.items)
        if (schedule.state !== 'ended' && 'conversationId' in schedule.effect && schedule.effect.conversationId === conversationId)
          own.push(schedule);
      cursor = page.nextCursor;
    } while (cursor);
    return own.sort((one, other) => (one.nextAt ?? Infinity) - (other.nextAt ?? Infinity) || one.number - other.number);
  }

  /** The occurrences to come, at most `count`: none of a schedule that is paused or ended. Epoch milliseconds. */
  nextRuns({ state, nextAt, when, quiet }: ScheduleRecord, count: number): number[] {
    const runs: number[] = [];
    let next = state === 'active' ? nextAt : undefined;
    while (next !== undefined && runs.length < count) {
      runs.push(next);
      next = nextOccurrence(when, quiet, next);
    }
    return runs;
  }

  /** It fires no more until it is resumed. Rejects with `conflict` when it has ended. */
  async pause(tenantId: TenantId, scheduleId: ScheduleId): Promise<ScheduleRecord> {
    return this.change(tenantId, scheduleId, (schedule, now) => {
      const { nextAt: _, armedAt: __, ...rest } = schedule;
      return { ...rest, state: 'paused', updatedAt: now };
    });
  }

  /** It fires again, from its next occurrence on; what was due while it was paused is not made up for. Rejects with `conflict` when none is left. */
  async resume(tenantId: TenantId, scheduleId: ScheduleId): Promise<ScheduleRecord> {
    return this.change(tenantId, scheduleId, (schedule, now) => {
      if (schedule.state === 'active') return schedule;
      const nextAt = nextOccurrence(schedule.when, schedule.quiet, now);
      if (nextAt === undefined) throw new Conflict('its time is over');
      return armedFor(schedule, nextAt, now);
    });
  }

  /** Absent is no error. An occurrence that is firing at this moment fires. */
  async remove(tenantId: TenantId, scheduleId: ScheduleId): Promise<void> {
    await this.documents.delete(schedulePaths.schedule(tenantId, scheduleId));
  }

  /**
   * Does now what the schedule does at its times, and leaves those as they are. Upkeep is begun where it always is, by a task of its own; it rejects with `conflict`
   * when it is paused or runs at this moment. `requestId` names the request, so that repeating it does nothing more.
   */
  async runNow(tenantId: TenantId, scheduleId: ScheduleId, requestId: string, signal: AbortSignal): Promise<EventId> {
    const schedule = await this.get(tenantId, scheduleId);
    return schedule.effect.kind === 'upkeep' ? this.hurry(schedule, requestId) : this.firing.runNow(schedule, requestId, signal);
  }

  private async change(
    tenantId: TenantId,
    scheduleId: ScheduleId,
    change: (schedule: ScheduleRecord, now: number) => ScheduleRecord,
  ): Promise<ScheduleRecord> {
    const path = schedulePaths.schedule(tenantId, scheduleId);
    const changed = await this.documents.transaction(async (transaction) => {
      const schedule = (await transaction.get<ScheduleRecord>(path))?.data;
      if (!schedule) throw new NotFound(`there is no schedule ${scheduleId}`);
      if (schedule.state === 'ended') throw new Conflict('it has ended');
      const next = change(schedule, this.clock.now());
      transaction.set(path, next);
      return next;
    });
    crashPoint('after-schedule-before-task');
    if (changed.state === 'active') await this.tasks.create(changed);
    return changed;
  }

  /** The next occurrence comes at once, and the one after it at its time. */
  private async hurry({ tenantId, scheduleId }: ScheduleRecord, requestId: string): Promise<EventId> {
    const { hurried } = await this.change(tenantId, scheduleId, (schedule, now) => {
      if (schedule.hurried?.requestId === requestId) return schedule;
      if (schedule.state === 'paused') throw new Conflict('it is paused: resume it first');
      if (schedule.busyUntil !== undefined && schedule.busyUntil > now) throw new Conflict('it runs at this moment');
      return { ...armedFor(schedule, now, now), hurried: { requestId, plannedAt: now } };
    });
    return occurrenceId({ scheduleId }, hurried!.plannedAt);
  }

  private async refuseTooMany(tenantId: TenantId): Promise<void> {
    const limit = this.options.perTenant ?? defaultPerTenant;
    let open = 0;
    let cursor: string | undefined;
    do {
      const page = await this.list(tenantId, { limit: 1000, ...(cursor && { cursor }) });
      open += page.items.filter((schedule) => schedule.state !== 'ended').length;
      cursor = page.nextCursor;
    } while (cursor && open < limit);
    if (open >= limit) throw new InvalidInput(`a tenant has at most ${limit} schedules`);
  }
}

/** A time that was to come when it was asked for, and came before it was planned: it comes at once. */
function justOver(when: When, now: number): number | undefined {
  return when.kind === 'once' && when.at <= now && now - when.at < justOverMs ? when.at : undefined;
}

function definitionOf({ title, when, effect, quiet, missed, createdBy }: ScheduleRecord) {
  return { title, when, effect, ...(quiet && { quiet }), missed, createdBy };
}
