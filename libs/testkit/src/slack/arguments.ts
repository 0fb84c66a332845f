import { isJson, parseJson, type Json } from '../wire/json.js';
import type { WireRequest } from '../wire/loopback-server.js';
import { SlackError } from './slack-error.js';

/** Arguments of a method: plain values, or the text of them when they came in a form. */
export class Arguments {
  constructor(private readonly values: Json) {}

  text(name: string): string | undefined {
    const value = this.values[name];
    return value === undefined || value === null ? undefined : String(value);
  }

  flag(name: string): boolean {
    return ['true', '1'].includes(this.text(name) ?? '');
  }

  list(name: string, problem: string): readonly unknown[] | undefined {
    const value = this.structure(name, problem);
    if (value !== undefined && !Array.isArray(value)) throw new SlackError(problem);
    return value as readonly unknown[] | undefined;
  }

  object(name: string, problem: string): Json | undefined {
    const value = this.structure(name, problem);
    if (value !== undefined && !isJson(value)) throw new SlackError(problem);
    return value;
  }

  private structure(name: string, problem: string): unknown {
    const value = this.values[name];
    if (value === undefined || value === null || value === '') return undefined;
    if (typeof value !== 'string') return value;
    const parsed = parseJson(value);
    if (parsed === undefined) throw new SlackError(problem);
    return parsed;
  }
}

/** Arguments and token of a call, from query, form or JSON. JSON counts only with the token in the Authorization header, as Slack has it. */
export function argumentsOf(request: WireRequest): { given: Json; token: string | undefined } {
  const query = Object.fromEntries(request.query);
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if ((request.headers['content-type'] ?? '').startsWith('application/json')) {
    const body = parseJson(request.body.toString('utf8'));
    if (body === undefined) throw new SlackError('invalid_json');
    if (!isJson(body)) throw new SlackError('json_not_object');
    return { given: { ...query, ...body }, token: bearer };
  }
  const form = Object.fromEntries(new URLSearchParams(request.body.toString('utf8')));
  return { given: { ...query, ...form }, token: bearer ?? form['token'] };
}
