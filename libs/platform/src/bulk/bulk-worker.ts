import { randomUUID } from 'node:crypto';
import type { Documents } from '@rockpool/cloud';
import { codeOf } from '@rockpool/contracts';
import type { Inbox, Wakes } from '@rockpool/conversations';
import type { AuditLog } from '@rockpool/tenancy';
import { operationKeptMs, operationPath, type BulkItem, type BulkOperation } from './bulk-operation.js';

/** Small, so that a cancel bites at once and a restart repeats little. */
const batchSize = 25;
const problemsKept = 20;
const holdMs = 10_000;
const retryMs = 1_000;

interface Outcome {
  readonly item: BulkItem;
  /** Why it was left alone; absent when it was done. */
  readonly skipped?: string;
}

/**
 * Works off bulk operations, one batch after the other:
 *
 *     take a batch and write it down ──► audit ──► replay or discard each, wake its conversation ──► write down what came of it
 *
 * The batch names every turn with its count of replays, so that whoever resumes after a crash sees which of them are done, and none is replayed twice by
 * one operation. Of several instances one works on an operation at a time; another takes over ten seconds after the last sign of life.
 */
export class BulkWorker {
  private readonly holder = randomUUID();
  private readonly working = new Map<string, Promise<void>>();
  private readonly held = new Set<string>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private unwatch: (() => void) | undefined;
  private stopped = false;

  constructor(
    private readonly documents: Documents,
    private readonly inbox: Inbox,
    private readonly wakes: Wakes,
    private readonly audit: AuditLog,
    private readonly onError: (error: unknown, operation: string) => void,
  ) {}

  /** Begins with what is on record as running, and with everything that is put there later. */
  async start(): Promise<void> {
    this.unwatch = await this.documents.watch<BulkOperation>(
      { from: { collection: 'operations' }, where: { state: 'running' } },
      ({ items }) => {
        for (const { data } of items) this.take(data.id);
      },
    );
  }

  /** Ends after the batches at work, and lets another instance go on at once. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.unwatch?.();
    for (const timer of this.timers) clearTimeout(timer);
    await Promise.all(this.working.values());
    for (const id of this.held)
      await this.change(id, (operation) => (operation.holder === this.holder ? { ...operation, heldUntil: 0 } : undefined));
  }

  private take(id: string): void {
    if (this.stopped || this.working.has(id)) return;
    const work = this.workOff(id)
      .catch((error: unknown) => {
        this.onError(error, id);
        return retryMs;
      })
      .then((againInMs) => {
        this.working.delete(id);
        if (againInMs !== undefined) this.takeLater(id, againInMs);
      });
    this.working.set(id, work);
  }

  private takeLater(id: string, ms: number): void {
    if (this.stopped) return;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.take(id);
    }, ms);
    this.timers.add(timer);
  }

  /** Resolves when the operation has ended, or with the time after which it may be looked at again. */
  private async workOff(id: string): Promise<number | undefined> {
    while (!this.stopped) {
      const held = await this.hold(id);
      if (typeof held === 'object') this.held.add(id);
      else this.held.delete(id);
      if (held === undefined || typeof held === 'number') return held;
      if (held.batch === undefined) {
        const next = await this.nextBatch(held);
        await this.change(id, (operation) => (operation.state === 'running' ? { ...operation, ...next } : undefined));
      } else {
        const outcomes = await this.work(held, held.batch);
        await this.change(id, (operation) => accounted(operation, outcomes));
      }
    }
    return undefined;
  }

  /** The operation, held by this worker; `undefined` when it has ended, or for how long another one holds it. */
  private async hold(id: string): Promise<BulkOperation | number | undefined> {
    return this.documents.transaction(async (transaction) => {
      const operation = (await transaction.get<BulkOperation>(operationPath(id)))?.data;
      if (operation === undefined || operation.state !== 'running') return undefined;
      const now = Date.now();
      if (operation.holder !== this.holder && (operation.heldUntil ?? 0) > now) return operation.heldUntil! - now;
      const held: BulkOperation = { ...operation, holder: this.holder, heldUntil: now + holdMs };
      transaction.set(operationPath(id), held);
      return held;
    });
  }

  private async nextBatch({ request: { action: _, ...filter }, cursor }: BulkOperation) {
    const page = await this.inbox.list({ ...filter, oldestFirst: true, limit: batchSize, ...(cursor !== undefined && { cursor }) });
    const batch = page.items.map(({ tenantId, eventId, conversationId, replays }): BulkItem => ({
      tenantId,
      eventId,
      conversationId,
      replays,
    }));
    return { batch, ...(page.nextCursor === undefined ? { isLastBatch: true } : { cursor: page.nextCursor }) };
  }

  private async work({ id, actor, request }: BulkOperation, batch: readonly BulkItem[]): Promise<Outcome[]> {
    // Before, not after: a crash leaves an entry too many rather than one too few.
    for (const [tenantId, items] of Map.groupBy(batch, (item) => item.tenantId)) {
      await this.audit.record(tenantId, {
        actor,
        action: request.action,
        subjects: [`operation:${id}`, ...items.map(({ eventId }) => eventId)],
      });
    }
    // In order within a conversation, side by side otherwise.
    const conversations = Map.groupBy(batch, ({ tenantId, conversationId }) => `${tenantId}/${conversationId}`);
    const outcomes = await Promise.all(
      [...conversations.values()].map(async (items) => {
        const done: Outcome[] = [];
        for (const item of items) done.push(await this.workOn(item, request));
        await this.wakes.wake(items[0]!.tenantId, items[0]!.conversationId);
        return done;
      }),
    );
    return outcomes.flat();
  }

  private async workOn(item: BulkItem, { action, state }: BulkOperation['request']): Promise<Outcome> {
    const { tenantId, eventId, replays } = item;
    try {
      const { turn } = await this.inbox.get(tenantId, eventId);
      if (action === 'replay' ? turn.replays === replays + 1 : turn.state === 'discarded') return { item };
      if (turn.state !== state || turn.replays !== replays) return { item, skipped: `it is ${turn.state} now` };
      await this.inbox[action](tenantId, eventId);
      return { item };
    } catch (error) {
      const code = codeOf(error);
      if (code !== 'conflict' && code !== 'not_found') throw error;
      return { item, skipped: (error as Error).message };
    }
  }

  private async change(id: string, change: (operation: BulkOperation) => BulkOperation | undefined): Promise<void> {
    await this.documents.transaction(async (transaction) => {
      const operation = (await transaction.get<BulkOperation>(operationPath(id)))?.data;
      const changed = operation && change(operation);
      if (!changed) return;
      const expiry = changed.state === 'running' ? undefined : { expireAt: new Date(Date.now() + operationKeptMs) };
      transaction.set(operationPath(id), changed, expiry);
    });
  }
}

/** The operation with a finished batch added up; done when it was the last one. */
function accounted({ batch: _, ...operation }: BulkOperation, outcomes: readonly Outcome[]): BulkOperation {
  const skipped = outcomes.filter((outcome) => outcome.skipped !== undefined);
  const problems = skipped.map(({ item: { tenantId, eventId }, skipped: reason }) => ({ tenantId, eventId, reason: reason! }));
  const ends = operation.isLastBatch === true && operation.state === 'running';
  return {
    ...operation,
    done: operation.done + outcomes.length - skipped.length,
    skipped: operation.skipped + skipped.length,
    problems: [...operation.problems, ...problems].slice(0, problemsKept),
    ...(ends && { state: 'done', finishedAt: Date.now() }),
  };
}
