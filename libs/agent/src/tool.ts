import type { ConversationId, TenantId } from '@rockpool/contracts';
import type { z } from 'zod';

/** What a tool knows of the turn or job it runs in. It comes from the verified route; nothing of it can be set by the model. */
export interface ToolContext {
  readonly tenantId: TenantId;
  readonly conversationId: ConversationId;
  readonly senderId: string;
  /** IANA name; the zone to speak of times in. */
  readonly timeZone: string;
  readonly now: Date;
  /** Names this call: the same when a turn runs again and goes the same way, and in every try of a job's step. An effect outside is done under this key, so that it is done once. */
  readonly idempotencyKey: string;
  /** Aborts when the turn is stopped or the tool has had its time. A tool passes it on to whatever it waits for. */
  readonly signal: AbortSignal;
}

/**
 * Something the model may do. Input is checked against the schema before `run` is called. What it returns or throws is shown to the model as data, cut
 * at 5,000 characters: an error message must be fit to be read there. A turn may run again after a crash, and a job repeats by itself what did not succeed, as far as
 * `repeat` allows: `safe`, it changes nothing, or nothing more the second time; `keyed`, whoever does it tells repetitions by `idempotencyKey`; `ask`, a person is asked first.
 */
export interface AgentTool {
  /** `^[a-z][a-z0-9_]*$` */
  readonly name: string;
  /** Tells the model when and how to use it. */
  readonly description: string;
  readonly input: z.ZodType;
  readonly repeat: 'safe' | 'keyed' | 'ask';
  run(input: unknown, context: ToolContext): Promise<string>;
}

/** Defines a tool with the type of its input inferred from the schema. */
export function defineTool<Schema extends z.ZodType>(tool: {
  name: string;
  description: string;
  input: Schema;
  repeat: AgentTool['repeat'];
  run: (input: z.output<Schema>, context: ToolContext) => Promise<string>;
}): AgentTool {
  if (!/^[a-z][a-z0-9_]{0,63}$/.test(tool.name)) throw new Error(`tool name ${tool.name} is not lower_snake_case`);
  return { ...tool, run: (input, context) => tool.run(input as z.output<Schema>, context) };
}
