import { RetryLater } from '@rockpool/contracts';
import { AgentRuntime, type AgentEvent, type AgentTurn } from '@rockpool/conversations';
import type { Jobs } from '@rockpool/jobs';
import { difficultyOf, type ModelAnswer, type Models, type ResolvedModel } from '@rockpool/models';
import { abortable } from './abortable.js';
import type { AgentProfile, AgentProfiles } from './agent-profile.js';
import { Compactor } from './compaction.js';
import { Promotion, startJobIn, startJobOffer, type TurnState } from './jobs/promotion.js';
import { ModelCalls, type ModelCall } from './model-calls.js';
import { PromptTooLong } from './model-failure.js';
import { Scope } from './scope.js';
import { endingNote, Speech } from './speech.js';
import { systemPrompt } from './system-prompt.js';
import { ToolRunner } from './tool-runner.js';
import type { AgentTool } from './tool.js';
import { TurnConversation } from './turn-conversation.js';
import { TurnMeter } from './turn-meter.js';

/** Bounds of a turn. */
export interface BuiltinRuntimeLimits {
  /** Model calls of one turn, at most: a longer one goes on as a job. Where there are no jobs, no tool can be called any more in the last one. */
  readonly steps: number;
  readonly toolTimeoutMs: number;
  readonly firstTokenMs: number;
  readonly idleMs: number;
  /** The whole turn. */
  readonly totalMs: number;
  /** Calls of one step, the first included; see `CallLimits`. */
  readonly attempts: number;
  readonly backoffMs: number;
  readonly longestWaitMs: number;
  /** Longest answer of one step, thinking included. */
  readonly maxOutputTokens: number;
  /** A turn that works for so long and has more to do goes on as a job. */
  readonly promoteAfterMs: number;
}

/** Time is up, and nothing of this step has been shown. */
class TimeToPromote extends Error {}

const standardLimits: BuiltinRuntimeLimits = {
  steps: 12,
  toolTimeoutMs: 30_000,
  firstTokenMs: 90_000,
  idleMs: 60_000,
  totalMs: 600_000,
  attempts: 3,
  backoffMs: 500,
  longestWaitMs: 20_000,
  maxOutputTokens: 8_192,
  promoteAfterMs: 90_000,
};

/**
 * The built-in agent: a loop of model calls and tools, streamed as it goes. The answer of a turn that fails after its first words is begun anew by the next
 * attempt. A turn reports its usage once, with its last event, also when it fails.
 */
export class BuiltinRuntime extends AgentRuntime {
  private readonly limits: BuiltinRuntimeLimits;
  private readonly tools: ToolRunner;
  private readonly calls: ModelCalls;
  private readonly compactor: Compactor;
  private readonly promotion: Promotion | undefined;

  /** Without `jobs` a turn that takes long is a turn that takes long. */
  constructor(
    private readonly profiles: AgentProfiles,
    private readonly models: Models,
    tools: readonly AgentTool[],
    { jobs, ...limits }: Partial<BuiltinRuntimeLimits> & { readonly jobs?: Jobs } = {},
  ) {
    super();
    this.limits = { ...standardLimits, ...limits };
    this.tools = new ToolRunner(tools, this.limits.toolTimeoutMs);
    this.calls = new ModelCalls(this.limits);
    this.compactor = new Compactor(this.calls);
    this.promotion = jobs && new Promotion(jobs);
  }

  /** Loads what the first turn would have to wait for. Rejects never: what is missing shows when it is used. */
  warm(): Promise<void> {
    return this.models.warm();
  }

  async *run(turn: AgentTurn, signal: AbortSignal): AsyncGenerator<AgentEvent, void> {
    signal.throwIfAborted();
    const meter = new TurnMeter();
    const { totalMs } = this.limits;
    const scope = new Scope(signal).limit(totalMs, () => new RetryLater(15_000, `the turn took longer than ${totalMs / 1000} s`));
    try {
      yield* this.answer(turn, meter, scope.signal);
    } catch (error) {
      const usage = meter.usage();
      if (usage) yield { type: 'usage', usage };
      throw scope.signal.aborted ? scope.signal.reason : error;
    } finally {
      scope.end();
    }
    const usage = meter.usage();
    if (usage) yield { type: 'usage', usage };
  }

  private async *answer(turn: AgentTurn, meter: TurnMeter, signal: AbortSignal): AsyncGenerator<AgentEvent, void> {
    // What nobody waits for would make somebody wait.
    const promotion = turn.mayBeSilent ? undefined : this.promotion;
    const before = await promotion?.earlier(turn);
    if (before) return yield before;
    const promoteAt = promotion ? performance.now() + this.limits.promoteAfterMs : Infinity;
    const profile = await abortable(this.profiles.get(turn.tenantId), signal);
    const model = await abortable(this.resolve(turn, profile, difficultyOf(turn.message.text, turn.history.length)), signal);
    const offers = promotion ? [...this.tools.offers, startJobOffer] : this.tools.offers;
    const conversation = new TurnConversation(turn, systemPrompt(profile, turn, new Date()), this.tools.tokens, model);
    const promote = (state: Partial<TurnState>) => promotion!.promote(turn, { steps: conversation.taken, said: speech.text, ...state });
    yield* this.compact(conversation, turn, profile, meter, signal);

    const context = {
      tenantId: turn.tenantId,
      conversationId: turn.conversationId,
      eventId: turn.eventId,
      senderId: turn.senderId,
      timeZone: profile.timeZone ?? 'UTC',
      signal,
    };
    const speech = new Speech();
    const callsOfTools = new Map<string, number>();
    for (let step = 1; ; step++) {
      const last = step >= this.limits.steps;
      speech.nextStep();
      if (promotion && (last || performance.now() >= promoteAt)) return yield await promote({});
      let answer: ModelAnswer;
      try {
        const prompt = conversation.prompt({ lastStep: last, maxOutputTokens: this.limits.maxOutputTokens });
        const toolChoice = last ? 'none' : 'auto';
        answer = yield* this.speak({ ...prompt, model, tools: offers, toolChoice, onUsage: (usage) => meter.add(model, usage) }, speech, {
          signal,
          promoteAt,
        });
      } catch (error) {
        if (error instanceof TimeToPromote) return yield await promote({});
        if (!(error instanceof PromptTooLong) || speech.spokeInStep || !conversation.shrink()) throw error;
        yield* this.compact(conversation, turn, profile, meter, signal);
        step--;
        continue;
      }
      if (!answer.toolCalls.length || last) {
        const ending = endingNote(answer.finishReason, speech.spoke || turn.mayBeSilent === true, {
          taken: step,
          wantedMore: answer.toolCalls.length > 0,
        });
        if (ending) yield { type: 'text', delta: speech.say(ending) };
        return;
      }
      const wish = promotion && startJobIn(answer.toolCalls);
      if (wish) return yield await promote({ ...wish, steps: [...conversation.taken, answer.message, wish.results] });
      for (const toolCall of answer.toolCalls) yield { type: 'tool', name: this.tools.nameOf(toolCall), state: 'started' };
      const { message, outcomes } = await this.tools.run(answer.toolCalls, { ...context, now: new Date() }, callsOfTools);
      for (const { name, state } of outcomes) yield { type: 'tool', name, state };
      conversation.addStep(answer.message, message);
      conversation.interject(await abortable(turn.interjections(), signal));
    }
  }

  /** An answer that has begun to be shown is not cut short by `promoteAt`. */
  private async *speak(
    call: ModelCall,
    speech: Speech,
    { signal, promoteAt }: { readonly signal: AbortSignal; readonly promoteAt: number },
  ): AsyncGenerator<AgentEvent, ModelAnswer> {
    const scope = new Scope(signal);
    if (promoteAt !== Infinity) scope.limit(Math.max(0, promoteAt - performance.now()), () => new TimeToPromote());
    const text = this.calls.stream(call, scope.signal);
    try {
      for (;;) {
        const next = await text.next();
        if (next.done) return next.value;
        scope.lift();
        yield { type: 'text', delta: speech.say(next.value) };
      }
    } finally {
      scope.end();
      await text.return(undefined as never);
    }
  }

  private async *compact(
    conversation: TurnConversation,
    turn: AgentTurn,
    profile: AgentProfile,
    meter: TurnMeter,
    signal: AbortSignal,
  ): AsyncGenerator<AgentEvent, void> {
    if (!conversation.isOver()) return;
    const model = await abortable(this.resolve(turn, profile, 'simple'), signal);
    const compaction = await this.compactor.compact(
      conversation.content,
      conversation.window,
      model,
      (usage) => meter.add(model, usage),
      signal,
    );
    if (!compaction) return;
    yield { type: 'summary', summary: compaction.summary, coversMessages: conversation.replaceOldest(compaction) };
  }

  private resolve(turn: AgentTurn, { settings, keys }: AgentProfile, difficulty: ReturnType<typeof difficultyOf>): Promise<ResolvedModel> {
    return this.models.resolve({ tenantId: turn.tenantId, model: settings.model, keys, difficulty });
  }
}
