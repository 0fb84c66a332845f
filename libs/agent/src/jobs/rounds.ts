import type { BuilderResult, Decision, JobRecord, StepRecord } from '@rockpool/jobs';
import { estimateTokens, type ModelMessage, type ModelToolCall } from '@rockpool/models';
import { callsPerStep, resultOf } from '../tool-runner.js';
import { cutToolOutput, toolOutputCharacters } from '../tool-output.js';
import { controlOf } from './control-tools.js';

/** The actions of an agent's job. Every other is the name of a tool. */
export const thinkAction = 'think';
export const summariseAction = 'summarise';

/** Of the results of a delegation together. */
const reportCharacters = 30_000;

/** What the model said in one step: the step's output. */
export interface Thought {
  readonly message: ModelMessage;
  readonly text: string;
  readonly toolCalls: readonly ModelToolCall[];
  readonly finishReason: string;
}

/** What a summary covers: the step's output. */
export interface WorkSummary {
  readonly summary: string;
}

/** One thing the model said, and what came of the calls in it. */
export interface Round {
  readonly thought: Thought;
  /** In the order of the calls. */
  readonly results: readonly { readonly call: ModelToolCall; readonly text: string; readonly failed: boolean }[];
}

/** What an agent's job has done so far. */
export interface Work {
  /** Rounds since the newest summary. */
  readonly rounds: readonly Round[];
  readonly summary?: string;
  /** The call to be done next, when the model's last word has one left. */
  readonly open?: { readonly call: ModelToolCall; readonly decision?: Decision };
  /** True when the newest step is a call of the model that failed. */
  readonly failed: boolean;
  /** True when no summary was made for want of a model, since the last round. */
  readonly summaryFailed: boolean;
}

/**
 * Reads what a job has done from its steps, all of which have ended. The same steps give the same work, whoever reads them: a call that cannot be done takes no step, and
 * every other exactly one.
 */
export function workOf(job: JobRecord, steps: readonly StepRecord[], now: number): Work {
  let rounds: Round[] = [];
  let summary: string | undefined;
  let summaryFailed = false;
  let failed = false;
  for (let index = 0; index < steps.length;) {
    const step = steps[index++]!;
    failed = false;
    if (step.name === summariseAction) {
      summaryFailed = step.state !== 'succeeded';
      if (summaryFailed) continue;
      summary = (step.output as unknown as WorkSummary).summary;
      rounds = [];
      continue;
    }
    if (step.state !== 'succeeded') {
      failed = true;
      continue;
    }
    const thought = step.output as unknown as Thought;
    const results: Round['results'][number][] = [];
    summaryFailed = false;
    for (const [nth, call] of thought.toolCalls.entries()) {
      const control = controlOf(call, job, now);
      if (nth >= callsPerStep) results.push({ call, text: `not run: at most ${callsPerStep} tools can be called at once`, failed: true });
      else if (control && 'error' in control) results.push({ call, text: control.error, failed: true });
      else if (index < steps.length) results.push({ call, ...outcomeOf(steps[index++]!) });
      else {
        return {
          rounds: [...rounds, { thought, results }],
          ...(summary !== undefined && { summary }),
          open: { call, ...(control && { decision: control.decision }) },
          failed,
          summaryFailed,
        };
      }
    }
    rounds.push({ thought, results });
  }
  return { rounds, ...(summary !== undefined && { summary }), failed, summaryFailed };
}

/** A round as the model is told of it again. */
export function messagesOf({ thought, results }: Round): ModelMessage[] {
  if (results.length === 0) return [thought.message];
  return [thought.message, { role: 'tool', content: results.map(({ call, text, failed }) => resultOf(call, text, failed)) }];
}

/** Estimated. */
export function tokensOf(rounds: readonly Round[]): number {
  return rounds.reduce((sum, round) => sum + estimateTokens(JSON.stringify(messagesOf(round))), 0);
}

/** What came of a call that was a step, for the model. */
function outcomeOf({ kind, state, output, error, finishedAt }: StepRecord): { text: string; failed: boolean } {
  if (state !== 'succeeded') return { text: error?.message ?? 'it failed', failed: true };
  switch (kind) {
    case 'act':
      // A person said that it was done.
      return output === null || output === undefined
        ? { text: 'It was done. What came of it is not known.', failed: false }
        : (output as unknown as { text: string; failed: boolean });
    case 'wait':
      return { text: `It is ${new Date(finishedAt ?? 0).toISOString()} now.`, failed: false };
    case 'message':
      return output === null || output === undefined
        ? { text: 'Nobody answered in time.', failed: true }
        : { text: `The person answered: ${typeof output === 'string' ? output : JSON.stringify(output)}`, failed: false };
    case 'delegate':
      return { text: reportOf(output as unknown as Record<string, BuilderResult>), failed: false };
  }
}

/** Each in its share of what fits into a prompt. */
function reportOf(results: Readonly<Record<string, BuilderResult>>): string {
  const share = Math.min(toolOutputCharacters, Math.floor(reportCharacters / Object.keys(results).length));
  return Object.entries(results)
    .map(([key, { state, attempts, result, reason }]) => {
      const tries = attempts > 1 ? ` after ${attempts} tries` : '';
      if (state !== 'succeeded') return `## ${key}: ${state}${tries}\n${reason ?? ''}`;
      return `## ${key}: done${tries}\n${cutToolOutput(typeof result === 'string' ? result : JSON.stringify(result ?? null), share)}`;
    })
    .join('\n\n');
}
