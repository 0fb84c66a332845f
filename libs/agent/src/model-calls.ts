import { setTimeout as delay } from 'node:timers/promises';
import { estimateTokens, streamModel, type CallUsage, type ModelAnswer, type ModelPrompt, type ResolvedModel } from '@rockpool/models';
import { failureOfCall, isPassing, ModelSilent, turnErrorOf } from './model-failure.js';
import { Scope } from './scope.js';

/** How long a model may be silent, and how often a call is repeated. */
export interface CallLimits {
  /** From the request to the first sign of an answer, thinking included. */
  readonly firstTokenMs: number;
  /** Between two signs of an answer. */
  readonly idleMs: number;
  /** Calls in all, the first included. */
  readonly attempts: number;
  /** Wait before the second call; doubled before each further one. A provider's `Retry-After` is kept when it is longer. */
  readonly backoffMs: number;
  /** A provider that wants a longer wait than this is not waited for in the turn: the turn comes back later. */
  readonly longestWaitMs: number;
}

/** One call of a model. */
export interface ModelCall extends ModelPrompt {
  readonly model: ResolvedModel;
  /** Told of every call that cost something, also when it failed half-way. */
  readonly onUsage: (usage: CallUsage) => void;
}

/**
 * Calls models, one step at a time. Tools are only offered, never run here, so a call can be repeated without a second effect: it is, with backoff, as long
 * as nothing of its answer has been shown. Rejects with `TerminalError` when an operator must act, `RetryLater` when the provider is down,
 * `PromptTooLong`, or the signal's reason.
 */
export class ModelCalls {
  constructor(private readonly limits: CallLimits) {}

  /** Yields the text as it comes. */
  async *stream(call: ModelCall, signal: AbortSignal): AsyncGenerator<string, ModelAnswer> {
    for (let attempt = 1; ; attempt++) {
      const parts = this.attempt(call, signal);
      let shown = false;
      try {
        for (;;) {
          const next = await parts.next();
          if (next.done) return next.value;
          shown = true;
          yield next.value;
        }
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const failure = failureOfCall(error);
        if (!failure) throw error;
        const waitMs = Math.max(this.limits.backoffMs * 2 ** (attempt - 1), failure.retryAfterMs ?? 0);
        const again = isPassing(failure) && !shown && attempt < this.limits.attempts && waitMs <= this.limits.longestWaitMs;
        if (!again) throw turnErrorOf(failure, call.model, error);
        await delay(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
      } finally {
        // Reached early when the consumer stops listening: the provider is told to stop too.
        await parts.return(undefined as never);
      }
    }
  }

  private async *attempt(call: ModelCall, signal: AbortSignal): AsyncGenerator<string, ModelAnswer> {
    const { firstTokenMs, idleMs } = this.limits;
    const scope = new Scope(signal).limit(firstTokenMs, () => new ModelSilent(`no answer within ${firstTokenMs} ms`));
    const tally = new Tally(call);
    const parts = streamModel(call.model.languageModel, call, scope.signal);
    try {
      for (;;) {
        const next = await parts.next();
        if (next.done) {
          tally.reported(next.value.usage);
          return next.value;
        }
        const { kind, delta } = next.value;
        if (tally.heard(delta)) scope.limit(idleMs, () => new ModelSilent(`silent for ${idleMs} ms in the middle of an answer`));
        else scope.refresh();
        if (kind === 'text' && delta) yield delta;
      }
    } finally {
      scope.end();
      tally.close();
      await parts.return(undefined as never);
    }
  }
}

/** Reports what a call used: what the provider says, else an estimate when it had begun to answer. */
class Tally {
  private heardText = '';
  private begun = false;
  private done = false;

  constructor(private readonly call: ModelCall) {}

  /** True the first time. */
  heard(text: string): boolean {
    const first = !this.begun;
    this.begun = true;
    this.heardText += text;
    return first;
  }

  reported(usage: Partial<CallUsage>): void {
    this.done = true;
    const estimate = this.estimate();
    this.call.onUsage({
      ...usage,
      inputTokens: usage.inputTokens ?? estimate.inputTokens,
      outputTokens: usage.outputTokens ?? estimate.outputTokens,
    });
  }

  close(): void {
    if (this.begun && !this.done) this.call.onUsage(this.estimate());
  }

  private estimate(): CallUsage {
    const { system, messages } = this.call;
    return { inputTokens: estimateTokens(system) + estimateTokens(JSON.stringify(messages)), outputTokens: estimateTokens(this.heardText) };
  }
}
