import { isTerminal } from '@rockpool/contracts';
import { checkDelegation, type BuilderSpec, type Decision, type JobRecord } from '@rockpool/jobs';
import type { ModelToolCall, ToolOffer } from '@rockpool/models';
import { z } from 'zod';
import { agentJobKind, inputFor, inputOf, modelSize, type ModelSize } from './agent-job-input.js';

const hourMs = 3_600_000;
const minuteMs = 60_000;
const longestWaitMinutes = 7 * 24 * 60;
const answerAwaitedMs = 7 * 24 * hourMs;

const builder = z.object({
  key: z.string().describe('Names the part: 1 to 40 of a-z, 0-9 and -'),
  title: z.string().min(1).max(200),
  instructions: z
    .string()
    .min(1)
    .max(20_000)
    .describe('Everything the builder must know: it sees neither this conversation nor the other builders'),
  after: z.array(z.string()).max(50).optional().describe('Keys of builders whose results it needs; it begins once they have succeeded'),
  model: modelSize.optional().describe('How much model it needs. Default: what its instructions look like'),
  tools: z.array(z.string()).max(50).optional().describe('Names of the tools it may use. Default: all'),
  maxTokens: z.int().min(1_000).max(100_000_000).optional().describe('Its budget. Default: an equal part of what this job has left'),
  onFailure: z
    .enum(['retry', 'larger_model', 'report'])
    .default('retry')
    .describe('retry: once more; larger_model: once more, with a larger model; report: you are told at once'),
});

const delegate = z.object({ builders: z.array(builder).min(1).max(50) });
const askPerson = z.object({ question: z.string().min(1).max(5_000) });
const wait = z.object({
  minutes: z.number().positive().max(longestWaitMinutes),
  reason: z.string().max(200).optional().describe('For the person who looks at the job'),
});
const reportProgress = z.object({
  text: z.string().min(1).max(500).describe('What is being done now, for the person'),
  percent: z.number().min(0).max(100).optional(),
});
const giveUp = z.object({ reason: z.string().min(1).max(2_000) });

/** A tool with which an agent steers its job. What it does is a step of the job itself. */
interface ControlTool<Schema extends z.ZodType> {
  readonly description: string;
  readonly input: Schema;
  decide(input: z.output<Schema>, job: JobRecord, now: number): Decision;
}

function controlTool<Schema extends z.ZodType>(tool: ControlTool<Schema>): ControlTool<Schema> {
  return tool;
}

const controlTools: Readonly<Record<string, ControlTool<z.ZodType>>> = {
  delegate: controlTool({
    description:
      'Splits work between builders: agents that work side by side, each on a part, as jobs of their own. You go on once all have ended and get their results, or why they failed. Then fill the gaps: delegate a part anew, do it yourself, or give up with a reason. Use it for parts that are large and do not need each other.',
    input: delegate,
    decide: ({ builders }, job, now) => ({ do: 'delegate', builders: builders.map((part) => builderOf(part, job, now)) }),
  }),
  ask_person: controlTool({
    description:
      'Asks the person something without which you cannot go on, and waits for the answer, at most a week. Ask rarely, and everything at once.',
    input: askPerson,
    decide: ({ question }, _job, now) => ({ do: 'ask', question, until: now + answerAwaitedMs }),
  }),
  wait: controlTool({
    description: 'Lets time pass before the next step, up to a week. Nothing runs and nothing is spent meanwhile.',
    input: wait,
    decide: ({ minutes }, _job, now) => ({ do: 'wait', until: now + Math.round(minutes * minuteMs) }),
  }),
  report_progress: controlTool({
    description: 'Shows the person how far the job is, in one line. Use it when something worth knowing has been done.',
    input: reportProgress,
    decide: (input) => ({ do: 'act', action: progressAction, input }),
  }),
  give_up: controlTool({
    description: 'Ends the job because it cannot be done. The reason is told to whoever waits for the result.',
    input: giveUp,
    decide: ({ reason }) => ({ do: 'fail', reason }),
  }),
};

/** The action that {@link controlTools} has run to report progress. */
export const progressAction = 'report_progress';
export const progressInput = reportProgress;

/** The control tools as a provider is told of them. */
export const controlOffers: readonly ToolOffer[] = Object.entries(controlTools).map(([name, { description, input }]) => ({
  name,
  description,
  inputSchema: z.toJSONSchema(input, { io: 'input', target: 'draft-7' }) as ToolOffer['inputSchema'],
}));

/**
 * What a call of a control tool has the job do; an `error` for the model when it cannot; `undefined` when it is no control tool. Whether it is an error depends on the
 * call and the job's place among jobs alone, so that whoever reads the record later comes to the same.
 */
export function controlOf(call: ModelToolCall, job: JobRecord, now: number): { decision: Decision } | { error: string } | undefined {
  const tool = Object.hasOwn(controlTools, call.name) ? controlTools[call.name] : undefined;
  if (!tool) return undefined;
  if (call.invalid) return { error: 'the input is not valid JSON' };
  const input = tool.input.safeParse(call.input);
  if (!input.success) return { error: `the input does not fit: ${z.prettifyError(input.error)}` };
  try {
    const decision = tool.decide(input.data, job, now);
    if (decision.do === 'delegate') checkDelegation(job, decision.builders);
    return { decision };
  } catch (error) {
    if (isTerminal(error)) return { error: (error as Error).message };
    throw error;
  }
}

function builderOf(part: z.output<typeof builder>, job: JobRecord, now: number): BuilderSpec {
  const { key, title, instructions, after, model, tools, maxTokens, onFailure } = part;
  const { senderId } = inputOf(job);
  const given = (size: ModelSize | undefined) =>
    inputFor({
      message: { role: 'user', text: instructions, at: new Date(now).toISOString() },
      senderId,
      ...(size && { size }),
      ...(tools && { tools }),
    });
  const again = { retry: [given(model)], larger_model: [given(larger(model))], report: [] }[onFailure];
  return {
    key,
    kind: agentJobKind,
    title,
    input: given(model),
    alternatives: again,
    ...(after && { after }),
    ...(maxTokens !== undefined && { budget: { tokens: maxTokens } }),
  };
}

function larger(size: ModelSize | undefined): ModelSize {
  return size === 'small' ? 'medium' : 'large';
}
