import type { Json } from '@rockpool/cloud';
import { TerminalError } from '@rockpool/contracts';
import type { TranscriptMessage } from '@rockpool/conversations';
import type { JobRecord } from '@rockpool/jobs';
import type { Difficulty, ModelMessage } from '@rockpool/models';
import { z } from 'zod';

/** The kind of job that an agent works on: {@link JobRecord.kind}. */
export const agentJobKind = 'agent';

/** How much model a job asks for where the tenant leaves the choice to us. */
export const modelSize = z.enum(['small', 'medium', 'large']);
export type ModelSize = z.infer<typeof modelSize>;

export const difficultyOfSize: Readonly<Record<ModelSize, Difficulty>> = { small: 'simple', medium: 'code', large: 'design' };

const transcriptMessage = z.object({
  role: z.enum(['user', 'assistant']),
  text: z.string(),
  senderName: z.string().optional(),
  at: z.string(),
}) satisfies z.ZodType<TranscriptMessage>;

/** What an agent's job is given. What it was told is data of ours, written by a turn or by the job that delegates. */
const agentJobInput = z.object({
  /** What is to be done: the last message; before it what was said, as far as it matters. */
  history: z.array(transcriptMessage).default([]),
  summary: z.string().optional(),
  message: transcriptMessage,
  /** What the turn had done when it became a job: calls of tools with their results. */
  begun: z
    .array(z.custom<ModelMessage>((value) => typeof value === 'object' && value !== null && 'role' in value && 'content' in value))
    .default([]),
  /** On whose behalf. */
  senderId: z.string(),
  size: modelSize.optional(),
  /** Names of the tools it may use. Default: all. */
  tools: z.array(z.string()).optional(),
});
export type AgentJobInput = z.infer<typeof agentJobInput>;

/** Reads the input of a job; throws a `TerminalError` when it is none of this kind. */
export function inputOf({ input }: Pick<JobRecord, 'input'>): AgentJobInput {
  const parsed = agentJobInput.safeParse(input);
  if (!parsed.success) throw new TerminalError('its input is none that an agent can work on', { cause: parsed.error });
  return parsed.data;
}

/** The input as it is stored. */
export function inputFor(input: z.input<typeof agentJobInput>): Json {
  return JSON.parse(JSON.stringify(input)) as Json;
}
