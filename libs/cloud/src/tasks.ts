/**
 * Limits and retries of one queue: its name has 1 to 100 letters, digits and `-`; at most 500 dispatches a second, 5,000 at once. Both `maxAttempts` and `maxRetryDurationMs` must be reached before a task is dropped (Cloud Tasks does the same).
 */
export interface QueueSpec {
  readonly name: string;
  readonly maxDispatchesPerSecond: number;
  readonly maxConcurrentDispatches: number;
  readonly maxAttempts: number;
  readonly maxRetryDurationMs: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
}

/**
 * In the URL of a task: the process that delivers it, wherever that answers then. For engines of one process, which may answer at another port after a restart. A name that
 * cannot exist (RFC 2606), so that such a request never goes to somebody else.
 */
export const thisProcess = 'http://this-process.invalid';

/**
 * An HTTP POST to be made later. Any 2xx is success; everything else, redirects included, is tried again with the queue's backoff, and 429 and 503 with
 * `Retry-After` no sooner than that says. What breaks a rule below is refused with `invalid`.
 */
export interface TaskRequest {
  readonly queue: string;
  /**
   * 1 to 500 letters, digits, `-` and `_`; begin it with a hash when names are sequential. Unique within the queue for at least an hour after the task ended, however it
   * ended: a second one is refused with `already_exists`. Default: a random one.
   */
  readonly name?: string;
  /** Absolute, http or https. */
  readonly url: string;
  /** At most 96,000 bytes; what is larger goes by reference. */
  readonly body: Uint8Array;
  /**
   * Sent as given, such as `content-type` and `traceparent`. Not `authorization`, nor what HTTP itself, `x-rockpool-task-…` or Google's own names are for. Name,
   * URL, audience and headers have at most 3,000 bytes together.
   */
  readonly headers?: Readonly<Record<string, string>>;
  /** The request carries `Authorization: Bearer <OIDC token>` for this audience, and `x-rockpool-task-name`. */
  readonly audience: string;
  /** Never earlier than this; at most 30 days ahead. Default: now. */
  readonly scheduleAt?: Date;
  /** 15 s to 30 min; the request is aborted then and counts as failed. Default 10 min. */
  readonly deadlineMs?: number;
}

export interface QueueStats {
  /** Scheduled or being delivered. */
  pending: number;
  /** Milliseconds the most overdue task is late; 0 when none is. */
  oldestLateMs: number;
  /** Given up since the data folder was made. Absent when the engine does not count them: then the service's own metrics do. */
  dropped?: number;
}

/**
 * HTTP requests that are made at their time, at least once, in no particular order. A queue that does not exist is `not_found`.
 */
export abstract class Tasks {
  /** Resolves with the task's name once the task is durable. After `close` it rejects with `unavailable`. */
  abstract create(task: TaskRequest): Promise<string>;
  /** True when it was still waiting and will not be delivered; false when it is unknown, running or done. A service that dispatches may begin to at that very moment. */
  abstract cancel(queue: string, name: string): Promise<boolean>;
  abstract stats(queue: string): Promise<QueueStats>;
  /** An engine that dispatches by itself stops: requests under way are given `drainMs`, then aborted and tried again after the next start. Where a service dispatches, it goes on. */
  abstract close(drainMs?: number): Promise<void>;
}
