import { announcements, codeOf, crashPoint, heartbeatMessage, isTerminal, TerminalError } from '@rockpool/contracts';
import type { Documents } from '@rockpool/cloud';
import { silence, type AgentEvent, type AgentRuntime, type TurnUsage } from './agent-runtime.js';
import { AnswerPreview } from './answer-preview.js';
import type { Claim, ConversationLeases } from './conversation-leases.js';
import { failureNotice, stoppedNotice } from './notices.js';
import { paths, workIdOf, type SignalRecord, type TurnRecord } from './records.js';
import type { Reply } from './reply.js';
import type { ReplyChannel } from './reply-channel.js';
import { saidIn, saidTogether } from './said.js';
import type { Transcript } from './transcript.js';
import { untilAborted } from './until-aborted.js';

/** Bounds of a run, and who is told what went wrong beside it. */
export interface TurnRunnerOptions {
  /** An agent that takes longer is stopped and the person told. */
  readonly turnTimeoutMs: number;
  /** Runs of one turn before it is quarantined. */
  readonly maxAttempts: number;
  /** Told of every failure that is not the caller's to see: previews, typing, retries. */
  readonly onWarning: (message: string, error: unknown, turn: TurnRecord) => void;
  /** Told of a turn as it ended, once that is on record. Not told when the process dies in that moment. */
  readonly onEnded?: (turn: TurnRecord) => void;
}

/** What is to be said, and how the turn ends once it is. */
export interface Answer {
  /** Empty: nothing is said, and nothing remembered. */
  readonly markdown: string;
  readonly outcome: NonNullable<TurnRecord['outcome']>;
  readonly reason?: string;
  readonly usage?: TurnUsage;
  readonly summary?: { readonly text: string; readonly through: number };
  /** The turn goes on as a job. */
  readonly promoted?: true;
}

const typingIntervalMs = 4_500;

/** Why a run was aborted from outside; the signal's reason. */
class Stopped extends TerminalError {}
class TimedOut extends TerminalError {}

/** A message came that wants the run to begin anew, with both in view. */
export class Interrupted extends Error {}

/**
 * Runs the agent for a turn, shows the answer while it grows, and listens to what reaches the turn from outside meanwhile. A run ends when it is told to, also
 * when the agent does not listen: what it still does is its own, and is not heard.
 */
export class Answering {
  constructor(
    private readonly documents: Documents,
    private readonly leases: ConversationLeases,
    private readonly transcript: Transcript,
    private readonly runtime: AgentRuntime,
    private readonly options: TurnRunnerOptions,
  ) {}

  /**
   * Resolves with what is to be said, whatever went wrong with this turn; rejects when the turn should be tried again, with {@link Interrupted} at once. While `isHeld` says
   * no, another may have the conversation: nothing is shown, and another step begins only when the lease is found to be ours.
   */
  async answer(claim: Claim, channel: ReplyChannel, reply: Reply, signal: AbortSignal, isHeld: () => boolean): Promise<Answer> {
    const { turn, conversation } = claim;
    const turns = [turn, ...claim.merged];
    // Until somebody writes: then what is said is an answer.
    let mayBeSilent = turns.every(({ message }) => message.providerType === heartbeatMessage);
    const quietly = (answer: Answer): Answer => (mayBeSilent ? { ...answer, markdown: '' } : answer);
    if (turn.attempts > this.options.maxAttempts) return quietly(quarantine(turn, 'attempts_exhausted: an earlier run ended the process'));
    if (isAnnouncement(turn)) return { markdown: turn.message.text, outcome: 'done' };
    const own = new AbortController();
    const abort = AbortSignal.any([signal, own.signal]);
    const timeout = setTimeout(() => own.abort(new TimedOut('the turn took too long')), this.options.turnTimeoutMs);
    const warn = (what: string) => (error: unknown) => this.options.onWarning(what, error, turn);
    const typing = setInterval(() => !mayBeSilent && void channel.typing(turn.message.target), typingIntervalMs);
    const preview = new AnswerPreview(
      channel.updateIntervalMs,
      async (markdown) => {
        const receipt = await placement;
        if (receipt !== undefined && isHeld()) await reply.preview(receipt, markdown);
      },
      warn('an update of the growing answer failed'),
    );
    const placement = mayBeSilent ? Promise.resolve(undefined) : reply.place(abort);
    const placed = placement.then(
      (receipt) => receipt !== undefined && preview.open(),
      (error: unknown) => {
        warn('the placeholder could not be placed')(error);
        if (isTerminal(error)) own.abort(error);
      },
    );
    let markdown = '';
    let usage: TurnUsage | undefined;
    let summary: Answer['summary'];
    let promoted: Extract<AgentEvent, { type: 'promoted' }> | undefined;
    const unwatch = await this.watchSignals(claim, own);
    try {
      abort.throwIfAborted();
      const exchange = await this.transcript.exchange(turn.tenantId, conversation);
      const { tenantId, conversationId, eventId, message } = turn;
      const run = this.runtime.run(
        {
          tenantId,
          conversationId,
          eventId,
          attempt: turn.attempts,
          resumed: claim.resumed,
          workId: workIdOf(turn),
          senderId: message.sender.id,
          message: saidTogether(turns),
          isFromPlatform: turns.every(isFromPlatform),
          mayBeSilent,
          history: exchange.map(({ role, text, senderName, at }) => ({ role, text, at, ...(senderName && { senderName }) })),
          ...(conversation.summary && { summary: conversation.summary }),
          interjections: async () => {
            abort.throwIfAborted();
            if (!isHeld()) await this.leases.renew(claim);
            const taken = await this.leases.takeIn(claim);
            if (taken.length > 0) mayBeSilent = false;
            return taken.map(saidIn);
          },
        },
        abort,
      );
      for await (const event of untilAborted(run, abort)) {
        if (event.type === 'text') {
          crashPoint('mid-run');
          markdown += event.delta;
          preview.add(event.delta);
        } else if (event.type === 'usage') usage = event.usage;
        else if (event.type === 'promoted') {
          promoted = event;
          markdown = event.answer;
        } else if (event.type === 'summary') {
          const through = exchange[event.coversMessages - 1]?.n;
          if (through !== undefined) summary = { text: event.summary, through };
        }
      }
      abort.throwIfAborted();
      if (mayBeSilent && (markdown.trim() === '' || markdown.trim() === silence))
        return quietly({ markdown, outcome: 'done', ...(usage && { usage }) });
      if (!markdown.trim()) throw new TerminalError('the model returned an empty answer');
      return { markdown, outcome: 'done', ...(usage && { usage }), ...(summary && { summary }), ...(promoted && { promoted: true }) };
    } catch (error) {
      const cause = abort.aborted ? abort.reason : error;
      if (cause instanceof Stopped) {
        await promoted?.cancel();
        return { markdown: stoppedNotice(promoted ? '' : markdown), outcome: 'cancelled', ...(usage && { usage }) };
      }
      if (signal.aborted || cause instanceof Interrupted) throw cause;
      if (isTerminal(cause)) return quietly(failed(cause, cause instanceof TimedOut ? 'timeout' : codeOf(cause), usage));
      if (turn.attempts >= this.options.maxAttempts) return quietly(quarantine(turn, reasonOf(cause)));
      throw cause;
    } finally {
      clearTimeout(timeout);
      clearInterval(typing);
      unwatch();
      await preview.close();
      await placed;
    }
  }

  private async watchSignals({ turn, conversation }: Claim, controller: AbortController): Promise<() => void> {
    const signals = paths.signals(turn.tenantId, turn.conversationId);
    return this.documents.watch<SignalRecord>({ from: { collection: signals } }, ({ items }) => {
      if (items.some(({ data }) => data.kind === 'stop' && data.throughSeq >= turn.seq)) {
        controller.abort(new Stopped('stopped by the person'));
      } else if (items.some(({ data }) => data.kind === 'interrupt' && data.throughSeq > conversation.lastSeq)) {
        controller.abort(new Interrupted('a message came meanwhile'));
      }
    });
  }
}

/** What the platform itself has to say: it is said as it is. */
export function isAnnouncement({ message }: TurnRecord): boolean {
  return message.providerType === announcements.jobEnded || message.providerType === announcements.jobAsks;
}

/** No channel gives its messages a type of this kind. */
function isFromPlatform({ message }: TurnRecord): boolean {
  return message.providerType.startsWith('rockpool.');
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

/** What an error says of itself. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
