import type { Documents } from '@rockpool/cloud';
import type { TenantId } from '@rockpool/contracts';
import { ConversationRetention } from '@rockpool/conversations';
import { JobRetention } from '@rockpool/jobs';
import { plans, removedKeptDays, type PlanName, type Tenants } from '@rockpool/tenancy';

const dayMs = 86_400_000;
const pageSize = 200;

/** Below `tenants/{t}`: what a tenant has beside conversations, turns and jobs. The record of its changes stays, as do its settings, and its secrets, which only the console may remove. */
const leftovers = ['memories', 'schedules', 'usage', 'counters', 'job-numbers', 'job-places', 'notices', 'allowances'];

/** What was deleted. `isComplete` is false when the time was over first. */
export interface Forgotten {
  readonly messages: number;
  readonly turns: number;
  readonly jobs: number;
  readonly isComplete: boolean;
}

/** Deletes what plans keep no longer, and what tenants left behind that were removed a month ago. Goes on where it was cut short; repeats do no harm. */
export class Retention {
  readonly #conversations: ConversationRetention;
  readonly #jobs: JobRetention;

  constructor(
    private readonly documents: Documents,
    private readonly tenants: Tenants,
    private readonly now: () => number = Date.now,
  ) {
    this.#conversations = new ConversationRetention(documents, ['feed']);
    this.#jobs = new JobRetention(documents);
  }

  async run(signal: AbortSignal): Promise<Forgotten> {
    const sum = { messages: 0, turns: 0, jobs: 0 };
    const count = ({ messages, turns, jobs }: Omit<Forgotten, 'isComplete'>) => {
      sum.messages += messages;
      sum.turns += turns;
      sum.jobs += jobs;
    };
    const present = (await this.tenants.list()).map(({ id, spec }) => ({ id, plan: spec.plan }));
    const removed = await this.tenants.removed();
    const isGone = ({ removedAt }: { removedAt: number }) => this.now() - removedAt >= removedKeptDays * dayMs;
    for (const { id, plan } of [...present, ...removed.filter((tenant) => !isGone(tenant))]) {
      if (signal.aborted) break;
      count(await this.forget(id, plan, signal));
    }
    for (const { id } of removed.filter(isGone)) {
      if (signal.aborted) break;
      count(await this.forgetAll(id, signal));
    }
    return { ...sum, isComplete: !signal.aborted };
  }

  private async forget(tenantId: TenantId, plan: PlanName, signal: AbortSignal): Promise<Omit<Forgotten, 'isComplete'>> {
    const { retention } = plans[plan];
    const before = (days: number) => this.now() - days * dayMs;
    const cutoffs = { messagesBefore: before(retention.transcript), turnsBefore: before(retention.turns) };
    const { messages, turns } = await this.#conversations.run(tenantId, cutoffs, signal);
    return { messages, turns, jobs: await this.#jobs.run(tenantId, before(retention.jobs), signal) };
  }

  /** What is open stays until it has ended, which it does soon without a tenant. */
  private async forgetAll(tenantId: TenantId, signal: AbortSignal): Promise<Omit<Forgotten, 'isComplete'>> {
    const now = this.now();
    if (await this.tenants.get(tenantId)) return { messages: 0, turns: 0, jobs: 0 };
    const { messages, turns } = await this.#conversations.run(tenantId, { messagesBefore: now, turnsBefore: now }, signal);
    const jobs = await this.#jobs.run(tenantId, now, signal);
    // Somebody may have it back meanwhile.
    if (await this.tenants.get(tenantId)) return { messages, turns, jobs };
    if (await this.#conversations.forgetConversations(tenantId, signal))
      for (const name of leftovers) await this.empty(`tenants/${tenantId}/${name}`, signal);
    return { messages, turns, jobs };
  }

  private async empty(collection: string, signal: AbortSignal): Promise<void> {
    for (let isMore = true; isMore && !signal.aborted;) {
      const { items } = await this.documents.query({ from: { collection }, limit: pageSize });
      isMore = items.length === pageSize;
      if (items.length > 0)
        await this.documents.transaction(async (transaction) => {
          for (const { path } of items) transaction.delete(path);
        });
    }
  }
}
