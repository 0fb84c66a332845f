import { isJson, parseJson, type Json } from '../wire/json.js';
import type { WireRequest } from '../wire/loopback-server.js';

/** The request cannot be done as it was asked; the message goes after "Bad Request: ". */
export class BadRequest extends Error {}

/** Parameters of a method, whichever way they came: in a form everything is text and objects are JSON inside. */
export class Parameters {
  constructor(private readonly values: Json) {}

  text(name: string): string | undefined {
    const value = this.values[name];
    if (value === undefined || value === null) return undefined;
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }

  integer(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined || text === '') return undefined;
    const value = Number(text);
    if (!Number.isSafeInteger(value)) throw new BadRequest(`${name} must be a valid Integer`);
    return value;
  }

  flag(name: string): boolean {
    return ['true', '1', 'yes'].includes(this.text(name)?.toLowerCase() ?? '');
  }

  list(name: string): readonly unknown[] | undefined {
    const value = this.structure(name);
    if (value !== undefined && !Array.isArray(value)) throw new BadRequest(`can't parse ${name} JSON array`);
    return value as readonly unknown[] | undefined;
  }

  object(name: string): Json | undefined {
    const value = this.structure(name);
    if (value !== undefined && !isJson(value)) throw new BadRequest(`can't parse ${name} JSON object`);
    return value;
  }

  messageId(): number {
    const value = this.integer('message_id');
    if (!value) throw new BadRequest('message identifier is not specified');
    return value;
  }

  private structure(name: string): unknown {
    const value = this.values[name];
    if (value === undefined || value === null || value === '') return undefined;
    return typeof value === 'string' ? (parseJson(value) ?? value) : value;
  }
}

/** Parameters from the query and from a JSON, form or multipart body. Throws {@link BadRequest} for JSON that is no object. */
export async function parametersOf(request: WireRequest): Promise<Json> {
  const query = Object.fromEntries(request.query);
  const type = request.headers['content-type'] ?? '';
  if (request.body.length === 0) return query;
  if (type.startsWith('application/json')) {
    const body = parseJson(request.body.toString('utf8'));
    if (!isJson(body)) throw new BadRequest("can't parse JSON object");
    return { ...query, ...body };
  }
  if (type.startsWith('multipart/form-data')) {
    const form = await new Response(new Uint8Array(request.body), { headers: { 'content-type': type } }).formData();
    return { ...query, ...Object.fromEntries([...form].map(([name, value]) => [name, typeof value === 'string' ? value : value.name])) };
  }
  return { ...query, ...Object.fromEntries(new URLSearchParams(request.body.toString('utf8'))) };
}
