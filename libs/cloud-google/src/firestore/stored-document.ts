import { type DocumentSnapshot, FieldValue, Timestamp } from '@google-cloud/firestore';
import type { Document, Json, WriteOptions } from '@rockpool/cloud';
import { InvalidInput, TerminalError } from '@rockpool/contracts';
import { divide, reunite } from './indexed-part.js';

/** The port's limit. Firestore's own, which counts other bytes, is met at about the same size. */
const documentLimitBytes = 2 ** 20;

/** Firestore's times are those of the years 1 to 9999. */
const firstTime = Date.parse('0001-01-01T00:00:00.000Z');
const lastTime = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * How a document is stored:
 * - `data`: what queries can look at, as fields of its own;
 * - `meta.rest`: what is left over of the data, as JSON text. `meta` is exempt from all indexes;
 * - `meta.write`: the id of the write that made it so. A write that changes nothing would leave Firestore's update time as it was, and a
 *   write whose answer was lost recognises its own work by it;
 * - `expireAt`: when Firestore's time-to-live policy may delete it.
 */
interface StoredFields {
  readonly data: { [key: string]: Json };
  readonly meta: { readonly write: string; readonly rest?: string };
  readonly expireAt?: Timestamp;
}

/** Content on its way into a document. */
export interface Content {
  readonly fields: StoredFields;
  readonly expireAtMs: number | undefined;
}

/** A document as Firestore has it, which may be expired and yet there. */
export interface StoredDocument {
  readonly path: string;
  readonly id: string;
  readonly updateTime: Timestamp;
  readonly expireAtMs: number | undefined;
  readonly fields: StoredFields;
}

/** Checks and encodes what a caller wants to store, as part of the write with this id. Throws `invalid` or `too_large`. */
export function contentOf(data: object, options: WriteOptions | undefined, write: string): Content {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) throw new InvalidInput('a document is an object');
  const expireAtMs = options?.expireAt && expiryOf(options.expireAt);
  const { indexed, rest } = divide(asJson(data));
  const meta = { write, ...(rest && { rest: JSON.stringify(rest) }) };
  const expireAt = expireAtMs === undefined ? {} : { expireAt: Timestamp.fromMillis(expireAtMs) };
  return { fields: { data: indexed, meta, ...expireAt }, expireAtMs };
}

function expiryOf(date: Date): number {
  const time = date.getTime();
  if (Number.isNaN(time)) throw new InvalidInput('expireAt is no valid date');
  return Math.min(Math.max(time, firstTime), lastTime);
}

function asJson(data: object): { [key: string]: Json } {
  let text: string;
  try {
    text = JSON.stringify(data);
  } catch (cause) {
    throw new InvalidInput('a document is JSON', { cause });
  }
  if (Buffer.byteLength(text) > documentLimitBytes) throw new TerminalError('a document has at most 1 MiB', { code: 'too_large' });
  const value = JSON.parse(text) as Json;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new InvalidInput('a document is an object');
  return value as { [key: string]: Json };
}

/** The update that replaces the whole of a document: only an update can have the condition that nobody wrote since. */
export function replacementOf({ fields }: Content): StoredFields | (Omit<StoredFields, 'expireAt'> & { expireAt: FieldValue }) {
  return fields.expireAt === undefined ? { ...fields, expireAt: FieldValue.delete() } : fields;
}

/** What was read; `undefined` when there is nothing. */
export function storedOf(snapshot: DocumentSnapshot): StoredDocument | undefined {
  const fields = snapshot.data() as StoredFields | undefined;
  if (fields === undefined) return undefined;
  return {
    path: snapshot.ref.path,
    id: snapshot.id,
    updateTime: snapshot.updateTime!,
    expireAtMs: fields.expireAt?.toMillis(),
    fields,
  };
}

/** Readers never see an expired document, whenever it is deleted. */
export function isExpired({ expireAtMs }: { readonly expireAtMs: number | undefined }): boolean {
  return expireAtMs !== undefined && expireAtMs <= Date.now();
}

export function documentOf<Data>({ path, id, updateTime, expireAtMs, fields }: StoredDocument): Document<Data> {
  const { data, meta } = fields;
  const whole = meta.rest === undefined ? data : reunite({ indexed: data, rest: JSON.parse(meta.rest) as StoredFields['data'] });
  return { path, id, version: versionOf(updateTime, expireAtMs), data: whole as Data };
}

/**
 * Firestore's update time, in microseconds, which grows with every change of the document, also over its deletion; with it the expiry, so that a write can be
 * refused as of an expired document without reading it.
 */
export function versionOf({ seconds, nanoseconds }: Timestamp, expireAtMs: number | undefined): string {
  return `${seconds}.${String(nanoseconds / 1_000).padStart(6, '0')}${expireAtMs === undefined ? '' : `/${expireAtMs}`}`;
}

/** The update time that a version stands for; `undefined` when nothing that is not expired can have it. */
export function updateTimeOf(version: string): Timestamp | undefined {
  const [, seconds, microseconds, expireAtMs] = /^(\d{1,11})\.(\d{6})(?:\/(-?\d{1,16}))?$/.exec(version) ?? [];
  if (seconds === undefined || isExpired({ expireAtMs: expireAtMs === undefined ? undefined : Number(expireAtMs) })) return undefined;
  return new Timestamp(Number(seconds), Number(microseconds) * 1_000);
}
