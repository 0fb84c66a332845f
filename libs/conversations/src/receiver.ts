import { crashPoint, type ConversationId, type InboundMessage, type TenantId } from '@rockpool/contracts';
import { admit, peersOf, type Routes, type Tenants } from '@rockpool/tenancy';
import { commandOf, type Commands } from './commands.js';
import type { Inbox } from './inbox.js';
import { unrouted } from './records.js';
import type { ReplyChannels } from './reply-channel.js';
import { currentTraceparent } from './spans.js';

/** Publishes the work request that makes a host drive a conversation. Resolves when it is durable. */
export abstract class Wakes {
  abstract wake(tenantId: TenantId, conversationId: ConversationId): Promise<void>;
}

/** What became of a received event. */
export type Received =
  | { readonly kind: 'appended'; readonly tenantId: TenantId }
  | { readonly kind: 'command'; readonly tenantId: TenantId }
  | { readonly kind: 'finished-before'; readonly tenantId: TenantId }
  | { readonly kind: 'dropped' | 'recorded'; readonly tenantId: TenantId; readonly reason: string };

/**
 * Receives a verified event: finds its tenant, asks the policy, gives it its place and wakes the conversation. Milliseconds, and safe to repeat: a
 * delivery that was cut short anywhere is finished by the next one.
 */
export class Receiver {
  constructor(
    private readonly tenants: Pick<Tenants, 'get'>,
    private readonly routes: Pick<Routes, 'resolve'>,
    private readonly inbox: Inbox,
    private readonly commands: Commands,
    private readonly channels: ReplyChannels,
    private readonly wakes: Wakes,
  ) {}

  async receive(message: InboundMessage): Promise<Received> {
    const tenantId = message.tenantId ?? (await this.route(message));
    const tenant = tenantId && (await this.tenants.get(tenantId));
    const owner = tenant?.id ?? unrouted;
    const admission = admit(tenant, message);
    if (!tenant || admission.kind !== 'run') {
      const reason = admission.kind === 'run' ? 'unknown-tenant' : admission.reason;
      const state = admission.kind === 'record' ? 'recorded' : 'dropped';
      await this.inbox.record(owner, message, state, reason);
      return { kind: state, tenantId: owner, reason };
    }
    const command = commandOf(message.text);
    if (command) {
      await this.commands.run(tenant, message, command);
      return { kind: 'command', tenantId: tenant.id };
    }
    crashPoint('after-receive-before-commit');
    const turn = await this.inbox.append(tenant.id, message, currentTraceparent());
    crashPoint('after-commit-before-wake');
    if (!turn.open) return { kind: 'finished-before', tenantId: tenant.id };
    if (turn.state === 'pending') this.showTyping(tenant.id, message);
    await this.wakes.wake(tenant.id, message.conversationId);
    crashPoint('after-wake-before-ack');
    return { kind: 'appended', tenantId: tenant.id };
  }

  private route(message: InboundMessage): Promise<TenantId | undefined> {
    const { channel, account } = message.target;
    return this.routes.resolve({ channel, account, peers: peersOf(message) });
  }

  /** Beside the hand-off, never in its way: the first sign of life needs no agent host. */
  private showTyping(tenantId: TenantId, message: InboundMessage): void {
    this.channels.for(tenantId, message.target).then(
      (channel) => channel.typing(message.target),
      // No credentials: the turn itself meets the same error, and there it is recorded.
      () => undefined,
    );
  }
}
