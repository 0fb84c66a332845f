import { randomBytes } from 'node:crypto';
import type { Documents } from '@rockpool/cloud';
import { Conflict, InvalidInput, NotFound } from '@rockpool/contracts';
import type { Inbox, TurnRecord } from '@rockpool/conversations';
import { bulkStates, operationKeptMs, operationPath, type BulkOperation, type BulkPlan, type BulkRequest } from '@rockpool/platform';

/** Turns that a plan counts before it says "more". */
const countLimit = 100_000;
const pageSize = 1000;
const firstShown = 10;

/** Bulk replays and discards as operators see them: planned, begun, watched, cancelled. The work itself is {@link BulkWorker}'s. */
export class BulkOperations {
  constructor(
    private readonly documents: Documents,
    private readonly inbox: Inbox,
    /** Who the audit log says it was. */
    private readonly actor: string,
    private readonly now: () => number = Date.now,
  ) {}

  /** Counts what the operation would take. Rejects with `invalid` when the action cannot take turns of that state. */
  async plan({ before = this.now(), ...request }: BulkRequest): Promise<BulkPlan> {
    const states: readonly string[] = bulkStates[request.action];
    if (!states.includes(request.state)) {
      throw new InvalidInput(`${request.action} in bulk takes turns that are ${states.join(', ')}, not ${request.state}`);
    }
    const tenants: Record<string, number> = {};
    const first: TurnRecord[] = [];
    let count = 0;
    let cursor: string | undefined;
    do {
      const page = await this.inbox.list({
        ...request,
        before,
        oldestFirst: true,
        limit: pageSize,
        ...(cursor !== undefined && { cursor }),
      });
      for (const turn of page.items) {
        count++;
        tenants[turn.tenantId] = (tenants[turn.tenantId] ?? 0) + 1;
        if (first.length < firstShown) first.push(turn);
      }
      cursor = page.nextCursor;
    } while (cursor !== undefined && count < countLimit);
    return {
      request: { ...request, before },
      count,
      isMore: cursor !== undefined,
      tenants,
      first: first.map(({ tenantId, eventId, reason }) => ({ tenantId, eventId, ...(reason !== undefined && { reason }) })),
    };
  }

  /** Puts the operation on record; the running instance begins at once, or the next one when it starts. */
  async begin(request: BulkRequest): Promise<BulkOperation> {
    const { request: exact, count } = await this.plan(request);
    const createdAt = this.now();
    const id = `${createdAt.toString(36).padStart(9, '0')}-${randomBytes(3).toString('hex')}`;
    const operation: BulkOperation = {
      ...{ id, request: exact, actor: this.actor, createdAt, planned: count },
      ...{ state: 'running', done: 0, skipped: 0, problems: [] },
    };
    await this.documents.create(operationPath(id), operation);
    return operation;
  }

  /** Rejects with `not_found`. */
  async get(id: string): Promise<BulkOperation> {
    const found = await this.documents.get<BulkOperation>(operationPath(idOf(id)));
    if (!found) throw new NotFound(`there is no operation ${id}`);
    return found.data;
  }

  /** Newest first. */
  async list(limit = 20): Promise<BulkOperation[]> {
    const page = await this.documents.query<BulkOperation>({
      from: { collection: 'operations' },
      orderBy: { field: 'createdAt', direction: 'desc' },
      limit,
    });
    return page.items.map(({ data }) => data);
  }

  /** No further batch is begun; the one at work, of 25 turns at most, is still accounted for. Rejects with `conflict` when it has ended. */
  async cancel(id: string): Promise<BulkOperation> {
    return this.documents.transaction(async (transaction) => {
      const operation = (await transaction.get<BulkOperation>(operationPath(idOf(id))))?.data;
      if (!operation) throw new NotFound(`there is no operation ${id}`);
      if (operation.state !== 'running') throw new Conflict(`operation ${id} is ${operation.state} already`);
      const cancelled: BulkOperation = { ...operation, state: 'cancelled', finishedAt: this.now() };
      transaction.set(operationPath(id), cancelled, { expireAt: new Date(this.now() + operationKeptMs) });
      return cancelled;
    });
  }
}

/** An id that can be part of a path; what cannot names nothing. */
function idOf(id: string): string {
  if (!/^[0-9a-z-]{1,40}$/.test(id)) throw new NotFound(`there is no operation ${id}`);
  return id;
}
