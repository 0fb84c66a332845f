import { context, propagation, trace } from '@opentelemetry/api';
import type { JobId } from '@rockpool/contracts';
import type { AgentEvent, AgentTurn } from '@rockpool/conversations';
import { promotedText, type JobRecord, type Jobs } from '@rockpool/jobs';
import type { ModelMessage, ModelToolCall, ToolMessage, ToolOffer } from '@rockpool/models';
import { z } from 'zod';
import { ContextWindow } from '../context-window.js';
import { resultOf } from '../tool-runner.js';
import { oneLine } from '../transcript-text.js';
import { agentJobKind, inputFor } from './agent-job-input.js';

const tracer = trace.getTracer('@rockpool/agent');

const startJob = z.object({ title: z.string().min(1).max(200).describe('A few words that the person knows it by') });
const startJobName = 'start_job';

/** The tool with which an agent makes its turn a job. */
export const startJobOffer: ToolOffer = {
  name: startJobName,
  description:
    'Goes on in the background, as a job that may take hours: the person is told its number at once and can talk about other things. Call it, alone, before work that takes more than a minute or two: many steps, several parts that builders can do side by side, or waiting. You then go on with the same task and more tools.',
  inputSchema: z.toJSONSchema(startJob, { io: 'input', target: 'draft-7' }) as ToolOffer['inputSchema'],
};

/** What an agent's job may use up unless the operator has it tried again with more: a model that goes in circles has to come to an end. */
const budget = { steps: 200, tokens: 1_000_000 };
const allowedMs = 30 * 86_400_000;

/** Beyond this the oldest of what was said before is left out of the job's input. */
const historyCharacters = 60_000;

/** Where a turn stands when it becomes a job. */
export interface TurnState {
  /** What was called, with results. */
  readonly steps: readonly ModelMessage[];
  /** What was said so far, Markdown. */
  readonly said: string;
  /** Chosen by the agent. Default: the beginning of what the person wrote. */
  readonly title?: string;
}

/** Makes turns go on as jobs, under the same id: a turn becomes one at most, however often it is run. */
export class Promotion {
  constructor(private readonly jobs: Jobs) {}

  /** The job that the turn became in an earlier run. */
  async earlier(turn: AgentTurn): Promise<AgentEvent | undefined> {
    if (!turn.resumed) return undefined;
    const job = await this.jobs.find(turn.tenantId, idOf(turn));
    return job && this.promoted(job);
  }

  /** Everything that the job does is seen below this span, however much later. */
  promote(turn: AgentTurn, state: TurnState): Promise<AgentEvent> {
    const attributes = { 'rockpool.tenant.id': turn.tenantId, 'rockpool.event.id': turn.eventId, 'rockpool.job.id': idOf(turn) };
    return tracer.startActiveSpan('job promote', { attributes }, (span) => this.start(turn, state).finally(() => span.end()));
  }

  private async start(turn: AgentTurn, { steps, said, title }: TurnState): Promise<AgentEvent> {
    const { tenantId, conversationId, history, message, summary, senderId } = turn;
    const carrier: { traceparent?: string } = {};
    propagation.inject(context.active(), carrier);
    const job = await this.jobs.start(tenantId, {
      jobId: idOf(turn),
      kind: agentJobKind,
      title: title ?? titleOf(message.text),
      conversationId,
      // Somebody waits for it at this moment; has been told that it takes long; or nobody asked for it just now.
      priority: turn.isFromPlatform ? 'low' : title === undefined ? 'high' : 'normal',
      budget,
      allowedMs,
      ...(said.trim() && { preface: said.trim() }),
      ...(carrier.traceparent && { traceparent: carrier.traceparent }),
      input: inputFor({
        history: newest(history).map(withoutAttachments),
        message: withoutAttachments(message),
        ...(summary && { summary }),
        // Outputs of tools are emptied, oldest first, until it fits.
        begun: new ContextWindow().fitSteps(steps, 0).steps,
        senderId,
      }),
    });
    return this.promoted(job);
  }

  private promoted(job: JobRecord): AgentEvent {
    const cancel = async () => {
      await this.jobs.cancel(job.tenantId, job.jobId, 'stopped by the person', { quiet: true });
    };
    return { type: 'promoted', answer: promotedText(job), cancel };
  }
}

/** The call that asks for it, if one does, and what its answer is: the other calls of that step are to be made again. */
export function startJobIn(calls: readonly ModelToolCall[]): { title?: string; results: ToolMessage } | undefined {
  const call = calls.find(({ name }) => name === startJobName);
  if (!call) return undefined;
  const { data } = startJob.safeParse(call.input);
  const content = calls.map((one) =>
    one.name === startJobName
      ? resultOf(one, 'You are in the background now. Go on with the task.', false)
      : resultOf(one, 'not run: call it again', true),
  );
  return { ...(data && { title: data.title }), results: { role: 'tool', content } };
}

function idOf({ workId }: AgentTurn): JobId {
  return workId as JobId;
}

function titleOf(text: string): string {
  return oneLine(text) || 'work in the background';
}

function newest(history: AgentTurn['history']): AgentTurn['history'] {
  let characters = 0;
  const from = history.findLastIndex(({ text }) => (characters += text.length) > historyCharacters);
  return history.slice(from + 1);
}

function withoutAttachments({ role, text, senderName, at }: AgentTurn['message']) {
  return { role, text, at, ...(senderName && { senderName }) };
}
