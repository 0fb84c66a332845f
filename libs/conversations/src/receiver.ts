import { crashPoint, type ConversationId, type InboundMessage, type TenantId } from '@rockpool/contracts';
import type { Admissions } from './admissions.js';
import type { Commands } from './commands.js';
import type { ImmediateAnswers } from './immediate-answers.js';
import type { Inbox } from './inbox.js';
import type { ReplyChannels } from './reply-channel.js';
import { currentTraceparent, linkToTrace, markTenant } from './spans.js';

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
 * Receives a verified event: asks what becomes of it, gives it its place and wakes the conversation. Milliseconds, and safe to repeat: a
 * delivery that was cut short anywhere is finished by the next one.
 */
export class Receiver {
  constructor(
    private readonly admissions: Admissions,
    private readonly inbox: Inbox,
    private readonly commands: Commands,
    private readonly answers: ImmediateAnswers,
    private readonly channels: ReplyChannels,
    private readonly wakes: Wakes,
  ) {}

  async receive(message: InboundMessage): Promise<Received> {
    const decision = await this.admissions.decide(message);
    markTenant(decision.kind === 'run' ? decision.tenant.id : decision.tenantId);
    if (decision.kind !== 'run') {
      const { kind, tenantId, reason, notice } = decision;
      const turn = await this.inbox.record(tenantId, message, kind, reason, notice);
      if (turn.notice) await this.answers.say(turn, turn.notice);
      return { kind, tenantId, reason };
    }
    const { tenant } = decision;
    const command = this.commands.named(message.text);
    if (command) {
      await this.commands.run(tenant, message, command);
      // A turn that waits for another try is ended by a run of it.
      if (command === 'stop') await this.wakes.wake(tenant.id, message.conversationId);
      return { kind: 'command', tenantId: tenant.id };
    }
    crashPoint('after-receive-before-commit');
    const turn = await this.inbox.append(tenant.id, message, { ...tenant.spec.agent, traceparent: currentTraceparent() });
    crashPoint('after-commit-before-wake');
    linkToTrace(turn.traceparent);
    if (!turn.open) return { kind: 'finished-before', tenantId: tenant.id };
    if (turn.state === 'pending') this.showTyping(tenant.id, message);
    await this.wakes.wake(tenant.id, message.conversationId);
    crashPoint('after-wake-before-ack');
    return { kind: 'appended', tenantId: tenant.id };
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
