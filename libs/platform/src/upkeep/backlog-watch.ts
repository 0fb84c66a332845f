import type { Documents, MessageBus } from '@rockpool/cloud';
import { subscriptions, type TenantId } from '@rockpool/contracts';
import type { Inbox } from '@rockpool/conversations';
import type { JobRecord, ScheduleRecord } from '@rockpool/jobs';
import type { AlertFacts, Alerts } from '@rockpool/service';

const overdueAfterMs = 15 * 60_000;
const looked = 500;

/** Looks for what got stuck: dead letters, turns that wait for an operator, jobs and schedules that are long overdue. */
export class BacklogWatch {
  constructor(
    private readonly parts: {
      readonly documents: Documents;
      /** Absent where counting dead letters would disturb those who look at them. */
      readonly bus?: Pick<MessageBus, 'stats'>;
      readonly inbox: Inbox;
      readonly alerts: Alerts;
      readonly now?: () => number;
      /** Told what could not be looked at; alerts about it stay as they are. */
      readonly onWarning: (message: string, error: unknown) => void;
    },
  ) {}

  /** `afterOutage`: nothing ran for a while, so that everything is overdue at this moment and about to come. */
  async look({ afterOutage }: { readonly afterOutage: boolean }): Promise<void> {
    const always: [string, () => Promise<AlertFacts[]>][] = [
      ['dead-letters-', () => this.deadLetters()],
      ['quarantined-', () => this.quarantined()],
    ];
    const overdue: typeof always = [
      ['overdue-jobs', () => this.overdueJobs()],
      ['overdue-schedules', () => this.overdueSchedules()],
    ];
    for (const [prefix, find] of afterOutage ? always : [...always, ...overdue]) {
      try {
        await this.parts.alerts.settle(prefix, await find());
      } catch (error) {
        this.parts.onWarning(`the watchdog could not look after ${prefix}`, error);
      }
    }
  }

  private async deadLetters(): Promise<AlertFacts[]> {
    const found: AlertFacts[] = [];
    const { bus } = this.parts;
    for (const { name } of bus ? Object.values(subscriptions) : []) {
      const { deadLetters } = await bus!.stats(name);
      if (deadLetters === 0) continue;
      const reason =
        deadLetters === 1
          ? 'one message was given up after all its attempts'
          : `${deadLetters} messages were given up after all their attempts`;
      const remedy = 'rockpool dead-letters shows why; rockpool dead-letters replay puts them back once that is mended';
      found.push({ id: `dead-letters-${name}`, subject: `dead letters of ${name}`, reason, remedy });
    }
    return found;
  }

  private async quarantined(): Promise<AlertFacts[]> {
    const { items } = await this.parts.inbox.list({ state: 'quarantined', limit: looked });
    return byTenant(items).map(([tenantId, count]) => ({
      id: `quarantined-${tenantId}`,
      subject: `quarantined messages of ${tenantId}`,
      reason: `${atLeast(count)} could not be answered in five tries, and wait for an operator`,
      remedy: `rockpool inbox --tenant ${tenantId} --state quarantined says why; replay or discard them`,
    }));
  }

  /** Those that were never begun though nothing stands before them, and those that outlived their deadline: the sweep mends both, unless something is wrong. */
  private async overdueJobs(): Promise<AlertFacts[]> {
    const before = this.now() - overdueAfterMs;
    const { items } = await this.parts.documents.query<JobRecord>({
      from: { group: 'jobs' },
      where: { open: true },
      range: { field: 'createdAt', lt: before },
      orderBy: { field: 'createdAt' },
      limit: looked,
    });
    const stuck = items
      .map(({ data }) => data)
      .filter((job) => job.deadlineAt < before || (job.state === 'queued' && job.startedAt === undefined && !job.line && !job.blocked));
    if (stuck.length === 0) return [];
    const reason = `${atLeast(stuck.length)} should have been taken up a quarter of an hour ago, of ${tenantsOf(stuck)}`;
    const remedy = 'see that the agent host runs and accepts tasks (its log, ROCKPOOL_AGENT_HOST_URL)';
    return [{ id: 'overdue-jobs', subject: 'jobs that nobody takes up', reason, remedy }];
  }

  private async overdueSchedules(): Promise<AlertFacts[]> {
    const { items } = await this.parts.documents.query<ScheduleRecord>({
      from: { group: 'schedules' },
      where: { state: 'active' },
      range: { field: 'nextAt', lt: this.now() - overdueAfterMs },
      orderBy: { field: 'nextAt' },
      limit: looked,
    });
    if (items.length === 0) return [];
    const due = items.map(({ data }) => data);
    const reason = `${atLeast(due.length)} should have fired a quarter of an hour ago, of ${tenantsOf(due)}`;
    const remedy =
      'see that the scheduler accepts tasks (its log, ROCKPOOL_SCHEDULER_URL); what was missed comes late, as each schedule says';
    return [{ id: 'overdue-schedules', subject: 'schedules that do not fire', reason, remedy }];
  }

  private now(): number {
    return this.parts.now?.() ?? Date.now();
  }
}

/** Tenants with how many are theirs, by name. */
export function byTenant(items: readonly { readonly tenantId: TenantId }[]): [TenantId, number][] {
  const counts = new Map<TenantId, number>();
  for (const { tenantId } of items) counts.set(tenantId, (counts.get(tenantId) ?? 0) + 1);
  return [...counts].sort(([one], [other]) => (one < other ? -1 : 1));
}

function atLeast(count: number): string {
  return count >= looked ? `${looked} or more` : String(count);
}

function tenantsOf(items: readonly { readonly tenantId: TenantId }[]): string {
  const names = byTenant(items).map(([name]) => name);
  return names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');
}
