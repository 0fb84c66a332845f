import type { Json } from '../wire/json.js';

/** A tool the model asked for, or asks for now. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: Json;
}

/** A message of the exchange, whichever API it came by. */
export interface ModelMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly text: string;
  readonly toolCalls?: readonly ToolCall[];
}

/** What a dialect makes of a request's body. */
export interface ParsedRequest {
  readonly model: string;
  readonly messages: readonly ModelMessage[];
  /** Names of the tools on offer. */
  readonly tools: readonly string[];
  readonly stream: boolean;
  /** The stream ends with a usage report. */
  readonly usage: boolean;
  /** What the caller said this belongs to: OpenAI's `user`, Anthropic's `metadata.user_id`. */
  readonly user?: string;
}

/** A request to the model, as rules and tests see it. */
export interface ModelRequest extends ParsedRequest {
  readonly api: 'openai-chat' | 'openai-responses' | 'anthropic' | 'gemini';
  /** `user` where the caller gave one, else the first thing the user said. */
  readonly conversation: string;
  /** The text of the last user message. */
  readonly lastUserText: string;
  /** Tool results since the last user message, oldest first. */
  readonly toolResults: readonly string[];
  /** How often the model asked for tools since the last user message. */
  readonly toolRounds: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body as it was sent. */
  readonly body: Json;
  /** How it ended; `abandoned` when the caller hung up. */
  outcome: 'pending' | 'answered' | 'failed' | 'abandoned';
}

/** Adds what can be derived from the messages. */
export function modelRequest(
  api: ModelRequest['api'],
  parsed: ParsedRequest,
  wire: { readonly at: number; readonly headers: ModelRequest['headers']; readonly body: Json },
): ModelRequest {
  const users = parsed.messages.filter(({ role }) => role === 'user');
  const lastUser = parsed.messages.findLastIndex(({ role }) => role === 'user');
  const since = parsed.messages.slice(lastUser + 1);
  return {
    ...parsed,
    ...wire,
    api,
    conversation: parsed.user ?? users[0]?.text ?? '',
    lastUserText: users.at(-1)?.text ?? '',
    toolResults: since.filter(({ role }) => role === 'tool').map(({ text }) => text),
    toolRounds: since.filter(({ role, toolCalls }) => role === 'assistant' && toolCalls && toolCalls.length > 0).length,
    outcome: 'pending',
  };
}

/** About four characters a token: deterministic, and near enough for budgets. */
export function tokensOf(text: string): number {
  return Math.ceil(text.length / 4);
}

/** The text of a content field: a string, or parts of which some are text. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map((part: unknown) => {
      const text = (part as Json | null)?.['text'];
      return typeof text === 'string' ? text : '';
    })
    .filter(Boolean)
    .join('\n');
}
