import { InvalidInput } from '@rockpool/contracts';
import { randomUUID } from 'node:crypto';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { QueueSpec, TaskRequest } from './tasks.js';

/** Largest body of a task: what Cloud Tasks takes in all (100 KB, read as 100,000 bytes) less what surrounds it. */
export const maxTaskBodyBytes = 96_000;
/** Largest sum of a task's name, URL, audience and headers, in UTF-8. The rest of the 100 KB is for what the service itself adds. */
const maxTaskEnvelopeBytes = 3_000;
/** How far ahead a task can be scheduled: 30 days. */
const maxTaskAheadMs = 30 * 86_400_000;

const maxUrlLength = 2_083;
const minDeadlineMs = 15_000;
const maxDeadlineMs = 30 * 60_000;
const defaultDeadlineMs = 10 * 60_000;
const namePattern = /^[A-Za-z0-9_-]{1,500}$/;
const queuePattern = /^[A-Za-z0-9-]{1,100}$/;
/** Headers that are ours, the connection's, the framing's or Google's. */
const reservedHeaders =
  /^(?:authorization|host|user-agent|connection|content-length|expect|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|x-rockpool-task-.*|x-cloudtasks-.*|x-google-.*|x-appengine-.*)$/i;

/** A task that keeps every rule of {@link TaskRequest}. */
export interface CheckedTask {
  readonly queue: string;
  readonly name: string;
  readonly url: string;
  readonly audience: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** A copy: the caller may reuse its buffer at once. */
  readonly body: Uint8Array;
  /** Milliseconds since the epoch, not before now. */
  readonly dueAt: number;
  readonly deadlineMs: number;
}

/** The task with its defaults filled in. Throws `invalid` with the rule that it breaks. `now` is in milliseconds since the epoch. */
export function checkedTask(request: TaskRequest, now: number): CheckedTask {
  const { queue, name = randomUUID(), url, audience, body, deadlineMs = defaultDeadlineMs } = request;
  const dueAt = Math.max(request.scheduleAt?.getTime() ?? now, now);
  if (!namePattern.test(name)) throw new InvalidInput('a task name has 1 to 500 letters, digits, - and _');
  if (!URL.canParse(url) || !/^https?:\/\//i.test(url) || url.length > maxUrlLength || new URL(url).username !== '')
    throw new InvalidInput(`a task needs an absolute http or https URL without credentials, of at most ${maxUrlLength} characters`);
  if (audience === '') throw new InvalidInput('a task needs the audience of its token');
  if (body.byteLength > maxTaskBodyBytes)
    throw new InvalidInput(
      `a task body has at most ${maxTaskBodyBytes} bytes, this one has ${body.byteLength}: send what is larger by reference`,
    );
  if (!(dueAt <= now + maxTaskAheadMs)) throw new InvalidInput('a task can be scheduled at most 30 days ahead');
  if (!(deadlineMs >= minDeadlineMs && deadlineMs <= maxDeadlineMs)) throw new InvalidInput('the deadline of a task is 15 s to 30 min');
  const headers = checkedHeaders(request.headers ?? {});
  const envelope = [name, url, audience, ...Object.entries(headers).flat()];
  if (envelope.reduce((bytes, text) => bytes + Buffer.byteLength(text), 0) > maxTaskEnvelopeBytes)
    throw new InvalidInput(`the name, URL, audience and headers of a task have at most ${maxTaskEnvelopeBytes} bytes together`);
  return { queue, name, url, audience, headers, dueAt, deadlineMs: Math.round(deadlineMs), body: new Uint8Array(body) };
}

function checkedHeaders(given: Readonly<Record<string, string>>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [header, value] of Object.entries(given)) {
    if (reservedHeaders.test(header)) throw new InvalidInput(`a task cannot set the header ${header}`);
    try {
      validateHeaderName(header);
      validateHeaderValue(header, value);
    } catch (cause) {
      throw new InvalidInput(`the header ${JSON.stringify(header)} of the task is not one that HTTP allows`, { cause });
    }
    headers[header.toLowerCase()] = value;
  }
  return headers;
}

/** Throws `invalid` when the queue's name or limits make no sense, or are beyond what Cloud Tasks has. */
export function refuseBadQueue(spec: QueueSpec): void {
  const sound =
    queuePattern.test(spec.name) &&
    spec.maxDispatchesPerSecond > 0 &&
    spec.maxDispatchesPerSecond <= 500 &&
    Number.isInteger(spec.maxConcurrentDispatches) &&
    spec.maxConcurrentDispatches > 0 &&
    spec.maxConcurrentDispatches <= 5_000 &&
    spec.maxAttempts >= 1 &&
    spec.maxRetryDurationMs >= 0 &&
    spec.minBackoffMs >= 0 &&
    spec.maxBackoffMs >= spec.minBackoffMs;
  if (!sound) throw new InvalidInput(`the task queue ${spec.name} has limits that make no sense`);
}
