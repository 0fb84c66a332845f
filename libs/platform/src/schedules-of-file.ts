import type { ScheduleId, TenantId } from '@rockpool/contracts';
import { checkTimes, fromFile, momentOf, nextOccurrence, type ScheduleRecord, type Schedules, type ScheduleWish } from '@rockpool/jobs';
import type { SettingsProblem, TenantSchedule, TenantsFile, TenantSpec } from '@rockpool/tenancy';

const prefix = 'file:';

/** The name that a schedule of `tenants.yaml` has there. */
export function nameInFile(scheduleId: ScheduleId): string {
  return scheduleId.slice(prefix.length);
}

/** What is wrong with the times of the schedules in the file. */
export function scheduleProblems({ tenants }: TenantsFile): SettingsProblem[] {
  const problems: SettingsProblem[] = [];
  for (const [id, spec] of Object.entries(tenants) as [TenantId, TenantSpec][])
    for (const [name, schedule] of Object.entries(spec.schedules ?? {})) {
      const path = ['tenants', id, 'schedules', name];
      try {
        const { when, quiet } = wishOf(name, schedule, spec);
        checkTimes(when, quiet);
        if (when.kind === 'cron' && nextOccurrence(when, quiet, Date.now()) === undefined)
          problems.push({ path, message: 'its time never comes' });
      } catch (error) {
        problems.push({ path, message: (error as Error).message });
      }
    }
  return problems;
}

/** Makes the schedules of tenants be what `tenants.yaml` says. */
export class FileSchedules {
  constructor(
    private readonly schedules: Schedules,
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * Those of one tenant; without `spec` it was removed. Bears being repeated, and does what an earlier call left undone. One that is paused stays paused, one whose time is
   * over is left out.
   */
  async apply(tenantId: TenantId, spec: TenantSpec | undefined): Promise<void> {
    const wanted = new Map(
      Object.entries(spec?.schedules ?? {}).map(([name, schedule]) => [prefix + name, wishOf(name, schedule, spec!)] as const),
    );
    for (const { scheduleId } of await this.present(tenantId))
      if (!wanted.has(scheduleId)) await this.schedules.remove(tenantId, scheduleId);
    for (const [id, wish] of wanted) {
      if (wish.when.kind === 'once' && wish.when.at <= this.now()) continue;
      await this.schedules.put(tenantId, id as ScheduleId, wish);
    }
  }

  private async present(tenantId: TenantId): Promise<ScheduleRecord[]> {
    const present: ScheduleRecord[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.schedules.list(tenantId, { limit: 1000, ...(cursor && { cursor }) });
      present.push(...page.items.filter(({ createdBy, state }) => createdBy === fromFile && state !== 'ended'));
      cursor = page.nextCursor;
    } while (cursor);
    return present;
  }
}

/** A schedule as it is written, in a form that can be made. Rejects with `invalid` when its time is none. */
export function wishOf(
  title: string,
  { cron, at, conversation: conversationId, prompt, heartbeat, missed, quietHours, ...own }: TenantSchedule,
  spec: TenantSpec,
  createdBy: string = fromFile,
): ScheduleWish {
  const timeZone = own.timeZone ?? spec.timeZone ?? 'UTC';
  return {
    title,
    when: cron === undefined ? { kind: 'once', at: momentOf(at ?? '', timeZone) } : { kind: 'cron', expression: cron, timeZone },
    effect:
      heartbeat === undefined
        ? { kind: 'prompt', conversationId, text: prompt ?? '' }
        : { kind: 'heartbeat', conversationId, text: heartbeat },
    ...(quietHours && { quiet: { ...quietHours, timeZone } }),
    missed,
    createdBy,
  };
}
