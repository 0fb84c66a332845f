import type { InboundMessage, TenantId } from '@rockpool/contracts';
import type { Documents } from '@rockpool/cloud';
import type { Tenant } from '@rockpool/tenancy';
import { paths, senderOf, sentAtOf, type AllowanceRecord, type TurnRecord } from './records.js';

const minuteMs = 60_000;
/** An allowance counts for its minute and the next, by the channel's clock; events can be late by as long as channels repeat them. */
const allowanceKeptMs = 24 * 60 * minuteMs;
/** What is taken at once, as a share of the limit: so a tenant's counter is written some twenty times a minute, however many messages come. */
const grantShare = 1 / 20;
/** A refusal is believed for so long before the counter is asked again. */
const refusalMs = 1_000;
const longestMemory = 10_000;

/** Which limit a message is over. */
export type Excess = 'sender' | 'tenant';

interface Grant {
  left: number;
  refusedUntil: number;
  asking?: Promise<void>;
}

/**
 * How many messages a minute are taken in. A minute is one of the channel's clock: what was held up by an outage and comes all at once is not held
 * against the people who wrote it.
 *
 * Of a person: the inbox is the window. Their messages of the minute before are counted where they are kept anyway, so it is exact whichever dispatcher they
 * went through, and a delivery that is repeated counts once.
 *
 * Of a tenant: a counter for each minute, from which every dispatcher takes a twentieth of the limit at a time and spends it from memory. The limit holds
 * over all of them together; what one took and did not spend is lost to the others, a twentieth for each at most.
 */
export class MessageLimits {
  private readonly grants = new Map<string, Grant>();

  constructor(
    private readonly documents: Documents,
    private readonly now: () => number = Date.now,
  ) {}

  /** The limit that this message is over, if it is over one. Asked once for each event: a message that is let through counts. */
  async excess(tenant: Tenant, message: InboundMessage): Promise<Excess | undefined> {
    const { messagesPerMinute, senderMessagesPerMinute } = tenant.spec.limits;
    const sentAt = sentAtOf(message);
    if (senderMessagesPerMinute !== undefined && message.target.channel !== 'http') {
      if (await this.isSenderOver(tenant.id, message, sentAt, senderMessagesPerMinute)) return 'sender';
    }
    if (messagesPerMinute === undefined) return undefined;
    return (await this.take(tenant.id, messagesPerMinute, sentAt)) ? undefined : 'tenant';
  }

  private async isSenderOver(tenantId: TenantId, message: InboundMessage, sentAt: number, limit: number): Promise<boolean> {
    const page = await this.documents.query<TurnRecord>({
      from: { collection: paths.turns(tenantId) },
      where: { sender: senderOf(message) },
      range: { field: 'sentAt', gt: sentAt - minuteMs, lte: sentAt },
      orderBy: { field: 'sentAt' },
      limit,
    });
    return page.items.length >= limit;
  }

  private async take(tenantId: TenantId, limit: number, sentAt: number): Promise<boolean> {
    const minute = Math.floor(sentAt / minuteMs);
    const grant = this.grantOf(`${tenantId}/${minute}`);
    while (grant.left === 0) {
      if (grant.refusedUntil > this.now()) return false;
      grant.asking ??= this.ask(grant, tenantId, minute, limit, sentAt).finally(() => delete grant.asking);
      await grant.asking;
    }
    grant.left -= 1;
    return true;
  }

  private async ask(grant: Grant, tenantId: TenantId, minute: number, limit: number, sentAt: number): Promise<void> {
    const path = paths.allowance(tenantId, minute);
    const granted = await this.documents.transaction(async (transaction) => {
      const current = (await transaction.get<AllowanceRecord>(path))?.data.granted ?? 0;
      const before = (await transaction.get<AllowanceRecord>(paths.allowance(tenantId, minute - 1)))?.data.granted ?? 0;
      // The part of the minute before that the window still covers, as if its messages had come evenly.
      const carried = before * (1 - (sentAt - minute * minuteMs) / minuteMs);
      const free = Math.floor(limit - carried - current);
      const taken = Math.min(free, Math.max(1, Math.ceil(limit * grantShare)));
      if (taken <= 0) return 0;
      const record: AllowanceRecord = { granted: current + taken };
      transaction.set(path, record, { expireAt: new Date(this.now() + allowanceKeptMs) });
      return taken;
    });
    grant.left += granted;
    if (granted === 0) grant.refusedUntil = this.now() + refusalMs;
  }

  private grantOf(key: string): Grant {
    const known = this.grants.get(key);
    if (known) return known;
    const grant: Grant = { left: 0, refusedUntil: 0 };
    this.grants.set(key, grant);
    // The oldest minute goes first; what it had left is lost, no more.
    if (this.grants.size > longestMemory) this.grants.delete(this.grants.keys().next().value as string);
    return grant;
  }
}
