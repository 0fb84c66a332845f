import {
  codeOf,
  crashPoint,
  isTerminal,
  RetryLater,
  StaleLease,
  TerminalError,
  type ConversationId,
  type TenantId,
} from '@rockpool/contracts';
import type { Documents, Transaction } from '@rockpool/cloud';
import type { AgentRuntime, TurnUsage } from './agent-runtime.js';
import { AnswerPreview } from './answer-preview.js';
import type { Claim, ConversationLeases } from './conversation-leases.js';
import { failureNotice, lateNotice, stoppedNotice } from './notices.js';
import { paths, type SignalRecord, type TurnRecord } from './records.js';
import { Reply } from './reply.js';
import type { ReplyChannel, ReplyChannels } from './reply-channel.js';
import { inSpan, turnParent } from './spans.js';
import type { Transcript } from './transcript.js';

/** What a drive came to. `drained`: the inbox is empty. `held`: somebody else drives. `retry`: the first open turn wants to be tried again after this time. */
export type DriveResult =
  | { readonly kind: 'drained' }
  | { readonly kind: 'held'; readonly ownWake: boolean; readonly retryAfterMs: number }
  | { readonly kind: 'retry'; readonly retryAfterMs: number; readonly reason: string };

export interface TurnRunnerOptions {
  /** An agent that takes longer is stopped and the person told. */
  readonly turnTimeoutMs: number;
  /** Runs of one turn before it is quarantined. */
  readonly maxAttempts: number;
  /** Told of every failure that is not the caller's to see: previews, typing, retries. */
  readonly onWarning: (message: string, error: unknown, turn: TurnRecord) => void;
}

const typingIntervalMs = 4_500;
const deliveryGivenUpAfterMs = 24 * 3_600_000;

/** Why a run was aborted from outside; the signal's reason. */
class Stopped extends TerminalError {}
class TimedOut extends TerminalError {}

interface Answer {
  readonly markdown: string;
  readonly outcome: NonNullable<TurnRecord['outcome']>;
  readonly reason?: string;
  readonly usage?: TurnUsage;
  readonly summary?: { readonly text: string; readonly through: number };
}

/** Runs the turns of conversations: claims, agent, reply ledger, transcript. Any number of runners may work side by side on one engine. */
export class TurnRunner {
  constructor(
    private readonly documents: Documents,
    private readonly leases: ConversationLeases,
    private readonly transcript: Transcript,
    private readonly channels: ReplyChannels,
    private readonly runtime: AgentRuntime,
    private readonly options: TurnRunnerOptions,
  ) {}

  /**
   * Drives one conversation until its inbox is empty. `wakeId` names the delivery that asked for it. When `signal` aborts, the running turn is given
   * back unfinished and not counted, and the drive ends with `retry`.
   */
  async drive(tenantId: TenantId, conversationId: ConversationId, wakeId: string, signal: AbortSignal): Promise<DriveResult> {
    const result = await inSpan('conversation.claim', { 'rockpool.tenant.id': tenantId }, () =>
      this.leases.claim(tenantId, conversationId, wakeId),
    );
    if (result.kind === 'empty') return { kind: 'drained' };
    if (result.kind === 'held') return { kind: 'held', ownWake: result.ownWake, retryAfterMs: result.expiresInMs };
    crashPoint('after-lease');
    let claim: Claim | undefined = result.claim;
    const lost = new AbortController();
    const stopRenewing = this.keepLease(claim, lost);
    try {
      while (claim) {
        const ended: Claim | DriveResult | undefined = await this.runTurn(claim, AbortSignal.any([signal, lost.signal]), signal);
        if (ended && 'kind' in ended) return ended;
        claim = ended;
      }
      return { kind: 'drained' };
    } catch (error) {
      if (codeOf(error) === 'stale_lease') return { kind: 'held', ownWake: false, retryAfterMs: 0 };
      throw error;
    } finally {
      stopRenewing();
    }
  }

  private async runTurn(claim: Claim, signal: AbortSignal, shutdown: AbortSignal): Promise<Claim | DriveResult | undefined> {
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
        const reply = await Reply.open(this.documents, turn, channel, fenced);
        let outcome = turn.outcome ?? 'done';
        try {
          if (turn.state !== 'answered') {
            const answer = await this.answer(claim, channel, reply, signal);
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
      turnParent(turn.traceparent),
    );
  }

  /** Runs the agent. Resolves with what is to be said, whatever went wrong with this turn; rejects when the turn should be tried again. */
  private async answer(claim: Claim, channel: ReplyChannel, reply: Reply, signal: AbortSignal): Promise<Answer> {
    const { turn, conversation } = claim;
    if (turn.attempts > this.options.maxAttempts) return quarantine(turn, 'attempts_exhausted: an earlier run ended the process');
    const own = new AbortController();
    const abort = AbortSignal.any([signal, own.signal]);
    const timeout = setTimeout(() => own.abort(new TimedOut('the turn took too long')), this.options.turnTimeoutMs);
    const warn = (what: string) => (error: unknown) => this.options.onWarning(what, error, turn);
    const typing = setInterval(() => void channel.typing(turn.message.target), typingIntervalMs);
    const preview = new AnswerPreview(
      channel.updateIntervalMs,
      async (markdown) => reply.preview(await placement, markdown),
      warn('an update of the growing answer failed'),
    );
    const placement = reply.place(abort);
    const placed = placement.then(
      () => preview.open(),
      (error: unknown) => {
        warn('the placeholder could not be placed')(error);
        if (isTerminal(error)) own.abort(error);
      },
    );
    let markdown = '';
    let usage: TurnUsage | undefined;
    let summary: Answer['summary'];
    const unwatch = await this.watchForStop(turn, own);
    try {
      const exchange = await this.transcript.exchange(turn.tenantId, conversation);
      const { tenantId, conversationId, eventId, message } = turn;
      const run = this.runtime.run(
        {
          tenantId,
          conversationId,
          eventId,
          attempt: turn.attempts,
          senderId: message.sender.id,
          message: { role: 'user', ...said(turn) },
          history: exchange.map(({ role, text, senderName, at }) => ({ role, text, at, ...(senderName && { senderName }) })),
          ...(conversation.summary && { summary: conversation.summary }),
        },
        abort,
      );
      for await (const event of run) {
        abort.throwIfAborted();
        if (event.type === 'text') {
          crashPoint('mid-run');
          markdown += event.delta;
          preview.add(event.delta);
        } else if (event.type === 'usage') usage = event.usage;
        else if (event.type === 'summary') {
          const through = exchange[event.coversMessages - 1]?.n;
          if (through !== undefined) summary = { text: event.summary, through };
        }
      }
      abort.throwIfAborted();
      if (!markdown.trim()) throw new TerminalError('the model returned an empty answer');
      return { markdown, outcome: 'done', ...(usage && { usage }), ...(summary && { summary }) };
    } catch (error) {
      const cause = abort.aborted ? abort.reason : error;
      if (cause instanceof Stopped) return { markdown: stoppedNotice(markdown), outcome: 'cancelled', ...(usage && { usage }) };
      if (signal.aborted) throw cause;
      if (isTerminal(cause)) return failed(cause, cause instanceof TimedOut ? 'timeout' : codeOf(cause), usage);
      if (turn.attempts >= this.options.maxAttempts) return quarantine(turn, reasonOf(cause));
      throw cause;
    } finally {
      clearTimeout(timeout);
      clearInterval(typing);
      unwatch();
      await preview.close();
      await placed;
    }
  }

  private async putOnRecord(claim: Claim, reply: Reply, answer: Answer): Promise<void> {
    const late = lateNotice(claim.turn, Date.now());
    const writeRows = reply.record(late + answer.markdown);
    const shown = answer.outcome === 'done' || answer.outcome === 'cancelled';
    const messages = [
      { role: 'user' as const, ...said(claim.turn) },
      ...(shown ? [{ role: 'assistant' as const, text: answer.markdown, at: new Date().toISOString() }] : []),
    ];
    await this.leases.fenced(claim, (transaction, conversation) => {
      const session = conversation.session === claim.conversation.session;
      const withSummary = answer.summary && session ? { summary: answer.summary.text, summaryThrough: answer.summary.through } : undefined;
      const next = this.transcript.append(transaction, { ...conversation, ...withSummary }, claim.turn, messages);
      transaction.set(paths.conversation(claim.turn.tenantId, claim.turn.conversationId), next);
      transaction.set(paths.turn(claim.turn.tenantId, claim.turn.eventId), {
        ...claim.turn,
        state: 'answered',
        outcome: answer.outcome,
        ...(answer.reason && { reason: answer.reason }),
        ...(answer.usage && { usage: answer.usage }),
      } satisfies TurnRecord);
      writeRows(transaction);
    });
  }

  private async end(
    claim: Claim,
    outcome: NonNullable<TurnRecord['outcome']>,
    write: (transaction: Transaction) => void,
    reason?: string,
  ): Promise<Claim | undefined> {
    const path = paths.turn(claim.turn.tenantId, claim.turn.eventId);
    return this.leases.finish(claim, async (transaction) => {
      const current = (await transaction.get<TurnRecord>(path))?.data ?? claim.turn;
      const { outcome: _, ...turn } = current;
      transaction.set(path, { ...turn, state: outcome, open: false, finishedAt: Date.now(), ...(reason && { reason }) });
      write(transaction);
    });
  }

  private async undeliverable(claim: Claim, reply: Reply | undefined, error: Error): Promise<Claim | undefined> {
    const reason = `undeliverable: ${error.message}`;
    this.options.onWarning('the reply cannot be delivered', error, claim.turn);
    return this.end(claim, 'failed', reply?.fail(reason) ?? (() => undefined), reason);
  }

  /** The turn did not end: it stays open and is tried again later, or it can never be delivered and ends as failed. */
  private async giveBack(claim: Claim, reply: Reply, error: unknown, shutdown: AbortSignal): Promise<Claim | DriveResult | undefined> {
    if (codeOf(error) === 'stale_lease') throw error;
    if (!shutdown.aborted && isTerminal(error)) return this.undeliverable(claim, reply, error as Error);
    const { turn } = claim;
    if (!shutdown.aborted && Date.now() - turn.receivedAt > deliveryGivenUpAfterMs) {
      return this.undeliverable(claim, reply, error instanceof Error ? error : new Error(String(error)));
    }
    const asked = error instanceof RetryLater ? error.afterMs : 0;
    const retryAfterMs = shutdown.aborted ? 0 : Math.max(asked, Math.min(1000 * 2 ** (turn.attempts - 1), 60_000));
    const reason = shutdown.aborted ? 'shutdown' : reasonOf(error);
    if (!shutdown.aborted) this.options.onWarning(`the turn is tried again in ${retryAfterMs} ms`, error, turn);
    await this.leases.release(claim, (current) => {
      if (current.state !== 'running') return { ...current, reason };
      return { ...current, state: 'pending', reason, attempts: shutdown.aborted ? current.attempts - 1 : current.attempts };
    });
    return { kind: 'retry', retryAfterMs, reason };
  }

  private async watchForStop(turn: TurnRecord, controller: AbortController): Promise<() => void> {
    return this.documents.watch<SignalRecord>({ from: { collection: paths.signals(turn.tenantId, turn.conversationId) } }, ({ items }) => {
      if (items.some(({ data }) => data.throughSeq >= turn.seq)) controller.abort(new Stopped('stopped by the person'));
    });
  }

  /** Renews the lease at a third of its time; `lost` is aborted as soon as it is known to be gone, or can no longer be shown to be ours. */
  private keepLease(claim: Claim, lost: AbortController): () => void {
    let validUntil = Date.now() + this.leases.leaseMs;
    let busy = false;
    const timer = setInterval(() => {
      if (busy) return;
      busy = true;
      const renewedAt = Date.now();
      this.leases
        .renew(claim)
        .then(() => (validUntil = renewedAt + this.leases.leaseMs))
        .catch((error: unknown) => {
          this.options.onWarning('the lease could not be renewed', error, claim.turn);
          if (codeOf(error) === 'stale_lease' || Date.now() >= validUntil) {
            lost.abort(codeOf(error) === 'stale_lease' ? error : new StaleLease('the lease ran out'));
          }
        })
        .finally(() => (busy = false));
    }, this.leases.leaseMs / 3);
    return () => clearInterval(timer);
  }
}

function said(turn: TurnRecord) {
  const { text, sender, attachments, sentAt } = turn.message;
  return {
    text,
    at: sentAt,
    ...(sender.displayName && { senderName: sender.displayName }),
    ...(attachments.length > 0 && { attachments }),
  };
}

function failed(cause: unknown, code: string, usage?: TurnUsage): Answer {
  return { markdown: failureNotice(code), outcome: 'failed', reason: `${code}: ${reasonOf(cause)}`, ...(usage && { usage }) };
}

function quarantine(turn: TurnRecord, reason: string): Answer {
  return {
    markdown: failureNotice('quarantined'),
    outcome: 'quarantined',
    reason: `quarantined after ${turn.attempts} attempts: ${reason}`,
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function usageAttributes(usage: TurnUsage) {
  return {
    'gen_ai.response.model': usage.model,
    'gen_ai.usage.input_tokens': usage.inputTokens,
    'gen_ai.usage.output_tokens': usage.outputTokens,
    ...(usage.costUsd !== undefined && { 'rockpool.cost.usd': usage.costUsd }),
  };
}
