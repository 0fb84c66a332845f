import { codeOf, crashPoint, isTerminal, outcomeOf, StaleLease, type ConversationId, type TenantId } from '@rockpool/contracts';
import type { Documents, Transaction } from '@rockpool/cloud';
import type { AgentRuntime, TurnUsage } from './agent-runtime.js';
import { Answering, Interrupted, isAnnouncement, reasonOf, type Answer, type TurnRunnerOptions } from './answering.js';
import type { Claim, ConversationLeases, Next } from './conversation-leases.js';
import { lateNotice } from './notices.js';
import { pause } from './pause.js';
import { paths, type TurnRecord } from './records.js';
import { Reply } from './reply.js';
import type { ReplyChannels } from './reply-channel.js';
import { saidIn } from './said.js';
import { inSpan, turnParent } from './spans.js';
import type { Transcript } from './transcript.js';

/** What a drive came to. `drained`: the inbox is empty. `held`: somebody else drives. `retry`: the first open turn wants to be tried again after this time. */
export type DriveResult =
  | { readonly kind: 'drained' }
  | { readonly kind: 'held'; readonly ownWake: boolean; readonly retryAfterMs: number }
  | { readonly kind: 'retry'; readonly retryAfterMs: number; readonly reason: string };

const deliveryGivenUpAfterMs = 24 * 3_600_000;

/** What a turn that was run led to. `interrupted`: it was given back to begin anew. */
type Ran = Next | { readonly kind: 'interrupted' } | Extract<DriveResult, { kind: 'retry' }>;

/** Runs the turns of conversations: claims, agent, reply ledger, transcript. Any number of runners may work side by side on one engine. */
export class TurnRunner {
  private readonly answering: Answering;

  constructor(
    private readonly documents: Documents,
    private readonly leases: ConversationLeases,
    private readonly transcript: Transcript,
    private readonly channels: ReplyChannels,
    runtime: AgentRuntime,
    private readonly options: TurnRunnerOptions,
  ) {
    this.answering = new Answering(documents, leases, transcript, runtime, options);
  }

  /**
   * Drives one conversation until its inbox is empty. `wakeId` names the delivery that asked for it. When `signal` aborts, the running turn is given
   * back unfinished and not counted, and the drive ends with `retry`.
   */
  async drive(tenantId: TenantId, conversationId: ConversationId, wakeId: string, signal: AbortSignal): Promise<DriveResult> {
    for (;;) {
      const claimed = await inSpan('conversation.claim', { 'rockpool.tenant.id': tenantId }, () =>
        this.leases.claim(tenantId, conversationId, wakeId),
      );
      if (claimed.kind === 'held') return { kind: 'held', ownWake: claimed.ownWake, retryAfterMs: claimed.expiresInMs };
      const ran = claimed.kind === 'claimed' ? await this.hold(claimed.claim, signal) : claimed;
      switch (ran.kind) {
        case 'empty':
          return { kind: 'drained' };
        case 'waiting':
          await pause(ran.afterMs, signal).catch(() => undefined);
          if (signal.aborted) return { kind: 'retry', retryAfterMs: 0, reason: 'shutdown' };
          break;
        case 'interrupted':
          break;
        default:
          return ran;
      }
    }
  }

  /** Runs turn after turn under the lease of this claim. */
  private async hold(first: Claim, signal: AbortSignal): Promise<Exclude<Ran, { kind: 'claimed' }> | DriveResult> {
    crashPoint('after-lease');
    let claim = first;
    const lost = new AbortController();
    const { isHeld, stop } = this.keepLease(claim, lost);
    try {
      for (;;) {
        const ran = await this.runTurn(claim, AbortSignal.any([signal, lost.signal]), signal, isHeld);
        if (ran.kind !== 'claimed') return ran;
        claim = ran.claim;
      }
    } catch (error) {
      if (codeOf(error) !== 'stale_lease') throw error;
      this.options.onWarning('the lease was lost', error, claim.turn);
      return { kind: 'held', ownWake: false, retryAfterMs: 0 };
    } finally {
      stop();
    }
  }

  private async runTurn(claim: Claim, signal: AbortSignal, shutdown: AbortSignal, isHeld: () => boolean): Promise<Ran> {
    const { turn } = claim;
    const attributes = {
      'rockpool.tenant.id': turn.tenantId,
      'rockpool.conversation.id': turn.conversationId,
      'rockpool.event.id': turn.eventId,
      'rockpool.turn.id': turn.eventId,
      'rockpool.turn.attempt': turn.attempts,
      'rockpool.channel': turn.message.target.channel,
    };
    return inSpan(
      'turn',
      attributes,
      async (setAttributes) => {
        const channel = await this.channels.for(turn.tenantId, turn.message.target).catch((error: unknown) => {
          if (isTerminal(error)) return error as Error;
          throw error;
        });
        if (channel instanceof Error) return this.undeliverable(claim, undefined, channel);
        const fenced = (write: (transaction: Transaction) => void) => this.leases.fenced(claim, write);
        const reply = claim.resumed
          ? await Reply.open(this.documents, turn, channel, fenced)
          : Reply.begin(this.documents, turn, channel, fenced);
        let outcome = turn.outcome ?? 'done';
        try {
          if (turn.state !== 'answered') {
            const answer = await this.answering.answer(claim, channel, reply, signal, isHeld);
            crashPoint('after-run-before-ledger');
            await this.putOnRecord(claim, reply, answer);
            crashPoint('after-ledger-before-send');
            outcome = answer.outcome;
            if (answer.usage) setAttributes(usageAttributes(answer.usage));
          }
          setAttributes({ 'rockpool.turn.outcome': outcome });
          const markSent = await reply.deliver(signal);
          crashPoint('after-receipt-before-release');
          return await this.end(claim, outcome, markSent);
        } catch (error) {
          return await this.giveBack(claim, reply, error, shutdown);
        }
      },
      turnParent(
        turn.traceparent,
        claim.merged.map((merged) => merged.traceparent),
      ),
    );
  }

  private async putOnRecord(claim: Claim, reply: Reply, answer: Answer): Promise<void> {
    const late = lateNotice(claim.turn, Date.now());
    const isSilent = answer.markdown === '';
    const writeRows = isSilent ? () => undefined : reply.record(late + answer.markdown);
    const shown = !isSilent && (answer.outcome === 'done' || answer.outcome === 'cancelled');
    await this.leases.fenced(claim, async (transaction, conversation) => {
      const turns = await this.leases.turnsOf(transaction, claim);
      const session = conversation.session === claim.conversation.session;
      const withSummary = answer.summary && session ? { summary: answer.summary.text, summaryThrough: answer.summary.through } : undefined;
      let next = { ...conversation, ...withSummary };
      if (!isSilent)
        for (const turn of turns.filter((one) => !isAnnouncement(one)))
          next = this.transcript.append(transaction, next, turn, [saidIn(turn)]);
      const said = { role: 'assistant', text: answer.markdown, at: new Date().toISOString() } as const;
      if (shown) next = this.transcript.append(transaction, next, claim.turn, [said]);
      transaction.set(paths.conversation(claim.turn.tenantId, claim.turn.conversationId), next);
      transaction.set(paths.turn(claim.turn.tenantId, claim.turn.eventId), {
        ...turns[0],
        state: 'answered',
        outcome: answer.outcome,
        ...(answer.reason && { reason: answer.reason }),
        ...(answer.usage && { usage: answer.usage }),
        ...(answer.promoted && { promoted: true }),
      } satisfies TurnRecord);
      writeRows(transaction);
    });
  }

  private async end(
    claim: Claim,
    outcome: NonNullable<TurnRecord['outcome']>,
    write: (transaction: Transaction) => void,
    reason?: string,
  ): Promise<Next> {
    let lead: TurnRecord | undefined;
    const end = ({ outcome: _, ...turn }: TurnRecord): TurnRecord => {
      const ended: TurnRecord = { ...turn, state: outcome, open: false, finishedAt: Date.now(), ...(reason && { reason }) };
      if (turn.eventId === claim.turn.eventId) lead = ended;
      return ended;
    };
    const next = await this.leases.finish(claim, end, write);
    if (lead) this.options.onEnded?.(lead);
    return next;
  }

  private async undeliverable(claim: Claim, reply: Reply | undefined, error: Error): Promise<Next> {
    const reason = `undeliverable: ${error.message}`;
    this.options.onWarning('the reply cannot be delivered', error, claim.turn);
    return this.end(claim, 'failed', reply?.fail(reason) ?? (() => undefined), reason);
  }

  /** The turn did not end: it stays open and is tried again later, or it can never be delivered and ends as failed. */
  private async giveBack(claim: Claim, reply: Reply, error: unknown, shutdown: AbortSignal): Promise<Ran> {
    if (codeOf(error) === 'stale_lease') throw error;
    if (error instanceof Interrupted) {
      // Not a failure, so not a try. What was shown so far stays until the next run's answer takes its place.
      await this.leases.release(claim, (turn) => ({ ...turn, state: 'pending', attempts: turn.attempts - 1, interrupted: true }));
      return { kind: 'interrupted' };
    }
    if (!shutdown.aborted && isTerminal(error)) return this.undeliverable(claim, reply, error as Error);
    const { turn } = claim;
    if (!shutdown.aborted && Date.now() - turn.receivedAt > deliveryGivenUpAfterMs) {
      return this.undeliverable(claim, reply, error instanceof Error ? error : new Error(String(error)));
    }
    const verdict = outcomeOf(error);
    const asked = verdict.kind === 'retry' ? (verdict.afterMs ?? 0) : 0;
    const retryAfterMs = shutdown.aborted ? 0 : Math.max(asked, Math.min(1000 * 2 ** (turn.attempts - 1), 60_000));
    const reason = shutdown.aborted ? 'shutdown' : reasonOf(error);
    if (!shutdown.aborted) this.options.onWarning(`the turn is tried again in ${retryAfterMs} ms`, error, turn);
    await this.leases.release(claim, (current) => {
      if (current.state !== 'running') return { ...current, reason };
      return { ...current, state: 'pending', reason, attempts: shutdown.aborted ? current.attempts - 1 : current.attempts };
    });
    return { kind: 'retry', retryAfterMs, reason };
  }

  /**
   * Renews the lease at a third of its time; `lost` is aborted as soon as it is known to be gone, or can no longer be shown to be ours. `isHeld` tells that by the clock
   * alone: a process that was frozen knows it before its first request after that is answered.
   */
  private keepLease(claim: Claim, lost: AbortController): { isHeld: () => boolean; stop: () => void } {
    let validUntil = performance.now() + this.leases.leaseMs;
    let busy = false;
    const timer = setInterval(() => {
      if (busy) return;
      busy = true;
      const renewedAt = performance.now();
      this.leases
        .renew(claim)
        .then(() => (validUntil = renewedAt + this.leases.leaseMs))
        .catch((error: unknown) => {
          // Also when it was given back meanwhile, in which case there is nobody to tell.
          if (codeOf(error) === 'stale_lease') return lost.abort(error);
          this.options.onWarning('the lease could not be renewed', error, claim.turn);
          if (performance.now() >= validUntil) lost.abort(new StaleLease('the lease ran out'));
        })
        .finally(() => (busy = false));
    }, this.leases.leaseMs / 3);
    return { isHeld: () => performance.now() < validUntil, stop: () => clearInterval(timer) };
  }
}

function usageAttributes(usage: TurnUsage) {
  return {
    'gen_ai.response.model': usage.model,
    'gen_ai.usage.input_tokens': usage.inputTokens,
    'gen_ai.usage.output_tokens': usage.outputTokens,
    ...(usage.costUsd !== undefined && { 'rockpool.cost.usd': usage.costUsd }),
  };
}
