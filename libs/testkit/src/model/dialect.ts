import type { Json } from '../wire/json.js';
import type { WireAnswer } from '../wire/loopback-server.js';
import { tokensOf, type ModelRequest, type ParsedRequest, type ToolCall } from './request.js';

/** An answer, ready to be written in the words of an API. */
export interface ModelAnswer {
  /** Unique, and the same in every run: `sim1`, `sim2` … */
  readonly id: string;
  readonly model: string;
  readonly text: string;
  readonly toolCalls: readonly (ToolCall & { readonly id: string })[];
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Unix time in seconds. */
  readonly created: number;
}

/** The frames of a stream: what comes before the text, for each token, and after. */
interface Frames {
  readonly begin: readonly string[];
  token(token: string): string;
  readonly end: readonly string[];
}

/** How one API writes requests, answers and errors. */
export interface Dialect {
  readonly api: ModelRequest['api'];
  parse(body: Json, path: string): ParsedRequest;
  whole(answer: ModelAnswer): Json;
  frames(answer: ModelAnswer, request: ModelRequest): Frames;
  failure(status: number, message: string): Json;
}

/** A server-sent event. */
export function event(data: unknown, name?: string): string {
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
}

/** The error answer of a dialect. */
export function failureAnswer(dialect: Dialect, status: number, message: string, retryAfterSeconds?: number): WireAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json', ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }) },
    body: JSON.stringify(dialect.failure(status, message)),
  };
}

/** Counts and numbers an answer. */
export function modelAnswer(request: ModelRequest, number: number, text: string, toolCalls: readonly ToolCall[]): ModelAnswer {
  return {
    id: `sim${number}`,
    model: request.model,
    text,
    toolCalls: toolCalls.map((call, index) => ({ ...call, id: `call_${number}_${index + 1}` })),
    inputTokens: request.messages.reduce((sum, message) => sum + tokensOf(message.text), 0),
    outputTokens: tokensOf(text) + toolCalls.reduce((sum, call) => sum + tokensOf(JSON.stringify(call)), 0),
    created: Math.floor(request.at / 1000),
  };
}
