import type { Json } from '@rockpool/cloud';
import { codeOf, isTerminal, TerminalError } from '@rockpool/contracts';
import { JobKind, type Decision, type JobRecord, type JobView, type StepAction, type StepContext } from '@rockpool/jobs';
import { costUsd, difficultyOf, estimateTokens, type CallUsage, type Models, type ResolvedModel, type ToolOffer } from '@rockpool/models';
import type { AgentProfile, AgentProfiles } from '../agent-profile.js';
import { Compactor } from '../compaction.js';
import { ContextWindow } from '../context-window.js';
import { ModelCalls, type CallLimits } from '../model-calls.js';
import { PromptTooLong } from '../model-failure.js';
import { endingNote } from '../speech.js';
import { jobPrompt } from '../system-prompt.js';
import type { AgentTool } from '../tool.js';
import { ToolRunner } from '../tool-runner.js';
import { TurnConversation } from '../turn-conversation.js';
import { agentJobKind, difficultyOfSize, inputOf, type AgentJobInput } from './agent-job-input.js';
import { controlOffers, progressAction, progressInput } from './control-tools.js';
import {
  messagesOf,
  summariseAction,
  thinkAction,
  tokensOf,
  workOf,
  type Round,
  type Thought,
  type Work,
  type WorkSummary,
} from './rounds.js';

/** Bounds of an agent's job. */
export interface AgentJobLimits extends CallLimits {
  /** Longest try of one tool; also Rockpool's own longest wait for a slow service. */
  readonly toolTimeoutMs: number;
  /** Longest answer of one step, thinking included. */
  readonly maxOutputTokens: number;
}

const standardLimits: AgentJobLimits = {
  firstTokenMs: 180_000,
  idleMs: 120_000,
  attempts: 3,
  backoffMs: 500,
  longestWaitMs: 20_000,
  toolTimeoutMs: 5 * 60_000,
  maxOutputTokens: 16_384,
};

/** Longest try of a model call, repetitions within it included. */
const callTimeoutMs = 15 * 60_000;
/** With the pauses between them a provider may be away for a quarter of an hour. */
const thinkAttempts = 18;
const toolAttempts = 3;
/** Work of more estimated tokens than that is summed up before the model is asked again. */
const summariseAboveTokens = 14_000;
/** With less than this left of its budget the job is brought to an end while it still can say something. */
const lastTokens = 8_000;

/**
 * Jobs that an agent works on: rounds of a model call and the tools it wants, each call a step of its own. What it decides next follows from what is on record alone: the newest
 * word of the model, and which of its calls have been answered.
 */
export class AgentJobs extends JobKind {
  readonly name = agentJobKind;
  private readonly limits: AgentJobLimits;
  private readonly tools: ToolRunner;
  private readonly calls: ModelCalls;
  private readonly compactor: Compactor;

  constructor(
    private readonly profiles: AgentProfiles,
    private readonly models: Models,
    tools: readonly AgentTool[],
    limits: Partial<AgentJobLimits> = {},
  ) {
    super();
    this.limits = { ...standardLimits, ...limits };
    this.tools = new ToolRunner(tools, this.limits.toolTimeoutMs);
    for (const name of [thinkAction, summariseAction, ...controlOffers.map((offer) => offer.name)])
      if (this.tools.get(name)) throw new Error(`a tool cannot have the name ${name}`);
    this.calls = new ModelCalls(this.limits);
    this.compactor = new Compactor(this.calls);
  }

  async next({ job, steps, now }: JobView): Promise<Decision> {
    const profile = await this.profiles.get(job.tenantId);
    if (profile.suspended) return { do: 'fail', reason: 'its tenant is suspended' };
    const input = inputOf(job);
    const { rounds, summary, open, failed, summaryFailed } = workOf(job, steps, now);
    if (open) return open.decision ?? { do: 'act', action: this.tools.nameOf(open.call), input: { call: open.call } as unknown as Json };
    if (failed)
      return { do: 'fail', reason: 'its model could not be reached or refused; the operator can see why, and have it tried again' };
    const last = rounds.at(-1)?.thought;
    if (last && last.toolCalls.length === 0) return { do: 'succeed', result: resultOf(last) };
    const isLong = tokensOf(rounds) + (summary === undefined ? beganTokens(input) : 0) > summariseAboveTokens;
    if (isLong && rounds.length > 0 && !summaryFailed) return { do: 'act', action: summariseAction, input: null };
    return { do: 'act', action: thinkAction, input: null };
  }

  action(name: string, job: JobRecord): StepAction | undefined {
    switch (name) {
      case thinkAction:
        return { repeat: 'safe', timeoutMs: callTimeoutMs, maxAttempts: thinkAttempts, run: (_, context) => this.think(context) };
      case summariseAction:
        return { repeat: 'safe', timeoutMs: callTimeoutMs, maxAttempts: 2, run: (_, context) => this.summarise(context) };
      case progressAction:
        return { repeat: 'safe', run: (input, context) => Promise.resolve(showProgress(input, context)) };
      default:
        return this.tool(name, job);
    }
  }

  private tool(name: string, job: JobRecord): StepAction {
    const { tools } = inputOf(job);
    const isAllowed = tools === undefined || tools.includes(name);
    return {
      repeat: (isAllowed && this.tools.get(name)?.repeat) || 'safe',
      timeoutMs: this.limits.toolTimeoutMs + 1_000,
      maxAttempts: toolAttempts,
      run: async (input, context) => {
        const { call } = input as unknown as { call: Thought['toolCalls'][number] };
        const { tenantId, conversationId, idempotencyKey, signal } = context;
        if (conversationId === undefined) throw new TerminalError('tools are for jobs of a conversation');
        this.tell(context, name);
        const profile = await this.profiles.get(tenantId);
        try {
          if (!isAllowed) throw new TerminalError('this job may not use that tool');
          const { senderId } = inputOf(job);
          const timeZone = profile.timeZone ?? 'UTC';
          const now = new Date();
          const text = await this.tools.call(call, { tenantId, conversationId, senderId, timeZone, now, idempotencyKey, signal });
          return { text, failed: false };
        } catch (error) {
          // What is wrong with the call is for the model to see; what may pass is tried again.
          if (isTerminal(error) && codeOf(error) !== 'outcome_unknown' && !signal.aborted)
            return { text: (error as Error).message, failed: true };
          throw error;
        }
      },
    };
  }

  private async think(context: StepContext): Promise<Json> {
    const { job, signal, remaining, before } = context;
    const { input, work, profile, model } = await this.at(context);
    this.tell(context, before.length === 0 ? 'beginning' : 'thinking');
    const offers = this.offersFor(input);
    const tokens = estimateTokens(JSON.stringify(offers));
    const conversation = new TurnConversation(input, jobPrompt(profile, job, new Date()), tokens, model);
    if (work.summary === undefined) conversation.addStep(...input.begun);
    else conversation.addStep({ role: 'user', content: [{ type: 'text', text: summaryNote(work.summary) }] });
    for (const round of work.rounds) conversation.addStep(...messagesOf(round));
    const lastStep = (remaining.steps ?? Infinity) < 2 || (remaining.tokens ?? Infinity) < lastTokens;
    for (;;) {
      const prompt = conversation.prompt({ lastStep, maxOutputTokens: this.limits.maxOutputTokens });
      const call = {
        ...prompt,
        model,
        tools: offers,
        toolChoice: lastStep ? ('none' as const) : ('auto' as const),
        onUsage: spending(context, model),
      };
      let text = '';
      try {
        const parts = this.calls.stream(call, signal);
        for (;;) {
          const part = await parts.next();
          if (!part.done) {
            text += part.value;
            continue;
          }
          const { message, toolCalls, finishReason } = part.value;
          return { message, text, toolCalls: lastStep ? [] : toolCalls, finishReason } satisfies Thought as unknown as Json;
        }
      } catch (error) {
        if (!(error instanceof PromptTooLong) || !conversation.shrink()) throw error;
      }
    }
  }

  /** Everything since the last summary, with that, into a new one. */
  private async summarise(context: StepContext): Promise<Json> {
    const { input, work, model } = await this.at(context);
    this.tell(context, 'summing up');
    const begun = work.summary === undefined ? input.begun.map((message) => `Begun: ${JSON.stringify(message.content)}`) : [];
    const lines = [`Task: ${input.message.text}`, ...begun, ...work.rounds.flatMap(linesOf)];
    const window = new ContextWindow(model.contextWindow);
    const summary = await this.compactor.summarise(lines, work.summary, window, model, spending(context, model), context.signal);
    return { summary } satisfies WorkSummary;
  }

  private async at({
    job,
    before,
  }: StepContext): Promise<{ input: AgentJobInput; work: Work; profile: AgentProfile; model: ResolvedModel }> {
    const input = inputOf(job);
    const profile = await this.profiles.get(job.tenantId);
    const difficulty = input.size ? difficultyOfSize[input.size] : difficultyOf(input.message.text, input.history.length);
    const { keys, settings } = profile;
    const model = await this.models.resolve({ tenantId: job.tenantId, model: settings.model, keys, difficulty });
    return { input, work: workOf(job, before, Date.now()), profile, model };
  }

  private offersFor({ tools }: AgentJobInput): ToolOffer[] {
    return [...this.tools.offers.filter(({ name }) => tools === undefined || tools.includes(name)), ...controlOffers];
  }

  /** What is being done, unless the agent has said something better. */
  private tell({ before, step, progress }: StepContext, what: string): void {
    if (!before.some(({ name }) => name === progressAction)) progress(`step ${step}, ${what}`);
  }
}

function resultOf({ text, finishReason }: Thought): string {
  const note = endingNote(finishReason as Parameters<typeof endingNote>[0], text.trim() !== '', { taken: 0, wantedMore: false });
  return [text.trim(), note].filter(Boolean).join('\n\n');
}

function showProgress(input: Json, { progress }: StepContext): Json {
  const { text, percent } = progressInput.parse(input);
  progress(text, percent === undefined ? undefined : percent / 100);
  return { text: 'Shown.', failed: false };
}

function spending({ spend }: StepContext, model: ResolvedModel): (usage: CallUsage) => void {
  return (usage) => spend({ tokens: usage.inputTokens + usage.outputTokens, costUsd: costUsd(usage, model.price) ?? 0 });
}

function summaryNote(summary: string): string {
  return `[What you have done on this job so far, summed up. Go on from there.]\n\n${summary}`;
}

function beganTokens({ begun }: AgentJobInput): number {
  return begun.length === 0 ? 0 : estimateTokens(JSON.stringify(begun));
}

function linesOf({ thought, results }: Round): string[] {
  return [
    ...(thought.text.trim() ? [`You: ${thought.text.trim()}`] : []),
    ...results.map(
      ({ call, text, failed }) => `You called ${call.name} ${JSON.stringify(call.input)}; ${failed ? 'it failed' : 'result'}: ${text}`,
    ),
  ];
}
