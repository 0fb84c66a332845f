import { setTimeout as delay } from 'node:timers/promises';
import { estimateTokens, type CallUsage, type ResolvedModel } from '@rockpool/models';
import type { FinishReason, ModelMessage, ToolChoice, ToolSet } from 'ai';
import { aiSdk } from './ai-sdk.js';
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
export interface ModelCall {
  readonly model: ResolvedModel;
  readonly system: string;
  readonly messages: readonly ModelMessage[];
  readonly tools: ToolSet;
  readonly toolChoice: ToolChoice<ToolSet>;
  readonly maxOutputTokens: number;
  /** Told of every call that cost something, also when it failed half-way. */
  readonly onUsage: (usage: CallUsage) => void;
}

/** A tool call as the model made it. `invalid` when its input is not JSON or there is no such tool. */
export interface ModelToolCall {
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
  readonly invalid: boolean;
}

/** What a call came to, its text aside, which was streamed. */
export interface ModelAnswer {
  readonly toolCalls: readonly ModelToolCall[];
  readonly finishReason: FinishReason;
  /** The assistant's message as the provider wants it back, thinking and signatures included. */
  readonly messages: readonly ModelMessage[];
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
    const { streamText, ToolChoiceViolationError } = await aiSdk();
    const { firstTokenMs, idleMs } = this.limits;
    const scope = new Scope(signal).limit(firstTokenMs, () => new ModelSilent(`no answer within ${firstTokenMs} ms`));
    let answering = false;
    const heard = (text: string): void => {
      tally.heard(text);
      if (answering) scope.refresh();
      else scope.limit(idleMs, () => new ModelSilent(`silent for ${idleMs} ms in the middle of an answer`));
      answering = true;
    };
    const { model } = call;
    const result = streamText({
      model: model.languageModel,
      instructions: call.system,
      messages: [...call.messages],
      tools: call.tools,
      toolChoice: call.toolChoice,
      maxOutputTokens: call.maxOutputTokens,
      maxRetries: 0,
      abortSignal: scope.signal,
      // The error arrives in the stream; without this it would be printed as well.
      onError: () => {},
    });
    const stream = result.stream[Symbol.asyncIterator]();
    const toolCalls: ModelToolCall[] = [];
    const tally = new Tally(call);
    let finished = false;
    try {
      for (;;) {
        const next = await stream.next();
        if (next.done) break;
        const part = next.value;
        switch (part.type) {
          case 'text-delta':
            heard(part.text);
            if (part.text) yield part.text;
            break;
          case 'reasoning-delta':
            heard(part.text);
            break;
          case 'tool-input-start':
          case 'tool-input-delta':
            heard(part.type === 'tool-input-delta' ? part.delta : part.toolName);
            break;
          case 'tool-call':
            toolCalls.push({ id: part.toolCallId, name: part.toolName, input: part.input, invalid: part.invalid === true });
            break;
          case 'error':
            // Some models call tools even when they are told that they cannot.
            if (ToolChoiceViolationError.isInstance(part.error)) return { toolCalls: [], finishReason: 'tool-calls', messages: [] };
            throw part.error;
          case 'abort':
            throw scope.signal.reason;
          case 'finish-step':
            scope.lift();
            if (part.finishReason === 'interrupted' || part.finishReason === 'error') throw new ModelSilent('the answer broke off');
            tally.reported(part.usage);
            finished = true;
            break;
        }
      }
      if (!finished) throw scope.signal.aborted ? scope.signal.reason : new ModelSilent('the answer broke off');
      const messages = (await result.responseMessages).filter((message) => message.role === 'assistant');
      return { toolCalls, finishReason: await result.finishReason, messages };
    } finally {
      tally.close();
      // A provider that is still talking is told to stop; how its stream ends interests nobody any more.
      if (!finished) {
        scope.abort(new ModelSilent('not needed any more'));
        void stream.return?.().catch(() => {});
      }
      scope.end();
    }
  }
}

/** Reports what a call used: what the provider says, else an estimate when it had begun to answer. */
class Tally {
  private heardText = '';
  private begun = false;
  private done = false;

  constructor(private readonly call: ModelCall) {}

  heard(text: string): void {
    this.begun = true;
    this.heardText += text;
  }

  reported(usage: {
    inputTokens?: number;
    outputTokens?: number;
    inputTokenDetails?: { cacheReadTokens?: number; cacheWriteTokens?: number };
  }): void {
    this.done = true;
    const estimate = this.estimate();
    this.call.onUsage({
      inputTokens: usage.inputTokens ?? estimate.inputTokens,
      outputTokens: usage.outputTokens ?? estimate.outputTokens,
      cacheReadTokens: usage.inputTokenDetails?.cacheReadTokens,
      cacheWriteTokens: usage.inputTokenDetails?.cacheWriteTokens,
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
