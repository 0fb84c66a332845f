import type { Documents, Query } from '@rockpool/cloud';
import type { TenantId } from '@rockpool/contracts';
import type { TurnRecord } from '@rockpool/conversations';
import type { JobRecord } from './job-records.js';
import { usagePaths, type ModelUsage, type UsageProgress, type UsageRecord } from './usage-records.js';

const dayMs = 86_400_000;
const pageSize = 500;
/** Further back there may be turns that retention has deleted: a sum over the rest would be wrong. Less than the shortest time turns are kept. */
const daysBack = 6;

/** Sums up what tenants used, day by day, from the records of turns and jobs alone: run again it writes the same, whatever a crash left. */
export class UsageRollUp {
  constructor(
    private readonly documents: Documents,
    private readonly options: {
      readonly now?: () => number;
      /** How long a tenant's sums are kept. */
      readonly keptDaysOf: (tenantId: TenantId) => Promise<number>;
    },
  ) {}

  /**
   * Sums up today, and each day before it that is not final yet: a day is final once it was summed up after its end with none of its turns open. Resolves with the days it
   * wrote; a day that the signal cut short is written as it was before.
   */
  async run(signal: AbortSignal): Promise<string[]> {
    const today = Math.floor(this.now() / dayMs) * dayMs;
    const progress = (await this.documents.get<UsageProgress>(usagePaths.progress))?.data;
    const after = progress ? Date.parse(progress.through) + dayMs : today - dayMs;
    const written: string[] = [];
    let isFinal = true;
    for (let start = Math.max(after, today - daysBack * dayMs); start <= today && !signal.aborted; start += dayMs) {
      const summed = await this.sum(start, signal);
      if (!summed) break;
      for (const record of summed.records) await this.put(record);
      written.push(dayOf(start));
      isFinal &&= summed.open === 0 && start < today;
      if (isFinal) await this.documents.set(usagePaths.progress, { through: dayOf(start) } satisfies UsageProgress);
    }
    return written;
  }

  private async sum(start: number, signal: AbortSignal): Promise<{ records: UsageRecord[]; open: number } | undefined> {
    const day = dayOf(start);
    const sums = new Map<TenantId, Sum>();
    const of = (tenantId: TenantId) => sums.get(tenantId) ?? sums.set(tenantId, new Sum(tenantId, day)).get(tenantId)!;
    const within = { gte: start, lt: start + dayMs };
    let open = 0;
    for await (const turn of this.each<TurnRecord>({ from: { group: 'turns' }, range: { field: 'receivedAt', ...within } }, signal)) {
      if (turn.open) open++;
      of(turn.tenantId).add(turn);
    }
    for await (const job of this.each<JobRecord>({ from: { group: 'jobs' }, range: { field: 'finishedAt', ...within } }, signal))
      of(job.tenantId).addJob(job);
    if (signal.aborted) return undefined;
    const records = [...sums.values()].map((sum) => sum.record(this.now()));
    return { records: records.filter(({ turns, jobs }) => turns + jobs > 0), open };
  }

  private async *each<Data>(query: Query & { range: { field: string } }, signal: AbortSignal): AsyncIterable<Data> {
    let cursor: string | undefined;
    do {
      const page = await this.documents.query<Data>({
        ...query,
        orderBy: { field: query.range.field },
        limit: pageSize,
        ...(cursor && { cursor }),
      });
      for (const { data } of page.items) yield data;
      cursor = page.nextCursor;
    } while (cursor !== undefined && !signal.aborted);
  }

  private async put(record: UsageRecord): Promise<void> {
    const keptMs = (await this.options.keptDaysOf(record.tenantId)) * dayMs;
    await this.documents.set(usagePaths.day(record.tenantId, record.day), record, { expireAt: new Date(Date.parse(record.day) + keptMs) });
  }

  private now(): number {
    return this.options.now?.() ?? Date.now();
  }
}

class Sum {
  private turns = 0;
  private jobs = 0;
  private inputTokens = 0;
  private outputTokens = 0;
  private jobTokens = 0;
  private costUsd = 0;
  private readonly models = new Map<string, ModelUsage>();

  constructor(
    private readonly tenantId: TenantId,
    private readonly day: string,
  ) {}

  add({ usage, answeredBy }: TurnRecord): void {
    // One that another answers has its usage there.
    if (usage || answeredBy !== undefined) this.turns++;
    if (!usage) return;
    const { model, inputTokens, outputTokens, costUsd = 0 } = usage;
    this.inputTokens += inputTokens;
    this.outputTokens += outputTokens;
    this.costUsd += costUsd;
    const before = this.models.get(model) ?? { turns: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 };
    this.models.set(model, {
      turns: before.turns + 1,
      inputTokens: before.inputTokens + inputTokens,
      outputTokens: before.outputTokens + outputTokens,
      costUsd: before.costUsd + costUsd,
    });
  }

  addJob({ open, parent, spent }: JobRecord): void {
    if (open || parent) return;
    this.jobs++;
    this.jobTokens += spent.tokens;
    this.costUsd += spent.costUsd;
  }

  record(computedAt: number): UsageRecord {
    const { tenantId, day, turns, jobs, inputTokens, outputTokens, jobTokens, costUsd } = this;
    const models = Object.fromEntries([...this.models].sort(([one], [other]) => (one < other ? -1 : 1)));
    return { tenantId, day, turns, jobs, inputTokens, outputTokens, jobTokens, costUsd, models, computedAt };
  }
}

function dayOf(start: number): string {
  return new Date(start).toISOString().slice(0, 10);
}
