import type { ConversationId, EventId, TenantId } from '@rockpool/contracts';
import type { z } from 'zod';

/** What a tool knows of the turn it runs in. It comes from the verified route; nothing of it can be set by the model. */
export interface ToolContext {
  readonly tenantId: TenantId;
  readonly conversationId: ConversationId;
  readonly eventId: EventId;
  readonly senderId: string;
  /** IANA name; the zone to speak of times in. */
  readonly timeZone: string;
  readonly now: Date;
  /** How many calls of this tool came before in the turn: with `eventId` it names the call, the same when the turn runs again and goes the same way. */
  readonly nth: number;
  /** Aborts when the turn is stopped or the tool has had its time. A tool passes it on to whatever it waits for. */
  readonly signal: AbortSignal;
}

/**
 * Something the model may do. Input is checked against the schema before `run` is called. What it returns or throws is shown to the model as data, cut
 * at 5,000 characters: an error message must be fit to be read there. A turn may run again after a crash, so an effect must bear being repeated.
 */
export interface AgentTool {
  /** `^[a-z][a-z0-9_]*$` */
  readonly name: string;
  /** Tells the model when and how to use it. */
  readonly description: string;
  readonly input: z.ZodType;
  run(input: unknown, context: ToolContext): Promise<string>;
}

/** Defines a tool with the type of its input inferred from the schema. */
export function defineTool<Schema extends z.ZodType>(tool: {
  name: string;
  description: string;
  input: Schema;
  run: (input: z.output<Schema>, context: ToolContext) => Promise<string>;
}): AgentTool {
  if (!/^[a-z][a-z0-9_]{0,63}$/.test(tool.name)) throw new Error(`tool name ${tool.name} is not lower_snake_case`);
  return { ...tool, run: (input, context) => tool.run(input as z.output<Schema>, context) };
}
