import { randomUUID } from 'node:crypto';
import type { ShownMessage } from './ledger.js';
import { patienceMs } from './patience.js';
import { signStandardWebhook, standardWebhookProblem } from './signatures.js';
import { systemClock, type Clock } from './wire/clock.js';
import { Faults } from './wire/faults.js';
import { isJson, parseJson, type Json } from './wire/json.js';
import { LoopbackServer, type WireAnswer, type WireRequest } from './wire/loopback-server.js';
import { isAccepted, postWebhook, type DeliveryAttempt, type DeliveryObserver } from './wire/post-webhook.js';

/** How a {@link StandardWebhooksSender} behaves. */
export interface StandardWebhooksSenderOptions {
  readonly url: string;
  /** `whsec_…` */
  readonly secret: string;
  readonly clock?: Clock;
  /** Waits between attempts are multiplied with this; 1 is the recommended schedule. */
  readonly retryScale?: number;
  readonly observer?: DeliveryObserver;
}

/** A webhook that was sent. */
export interface SentWebhook {
  /** `webhook-id`, the same at every attempt. */
  readonly id: string;
  readonly attempts: readonly DeliveryAttempt[];
  /** Resolves with true at the first 2xx, with false when it was given up. */
  readonly accepted: Promise<boolean>;
  /** Posts it again, freshly signed, under the same id; the status, or undefined without an answer. */
  redeliver(): Promise<number | undefined>;
}

const minute = 60_000;
const hour = 60 * minute;
// The schedule the specification recommends; 20 s for an answer is in the middle of its 15 to 30.
const retryAfterMs = [5000, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour];
const timeoutMs = 20_000;

/** A sender of Standard Webhooks. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
export class StandardWebhooksSender {
  private readonly clock: Clock;
  private readonly closing = new AbortController();

  constructor(private readonly options: StandardWebhooksSenderOptions) {
    this.clock = options.clock ?? systemClock;
  }

  /** Sends a payload until it is accepted. `text` is what the ledger knows it by; the whole payload when absent. */
  send(payload: Json, options: { id?: string; text?: string } = {}): SentWebhook {
    const id = options.id ?? `msg_${randomUUID().replaceAll('-', '')}`;
    const body = JSON.stringify(payload);
    const attempts: DeliveryAttempt[] = [];
    return {
      id,
      attempts,
      accepted: this.deliver(id, body, options.text ?? body, attempts),
      redeliver: async () => (await this.post(id, body)).status,
    };
  }

  /** Gives up what is not delivered. */
  close(): void {
    this.closing.abort();
  }

  private async deliver(id: string, body: string, text: string, attempts: DeliveryAttempt[]): Promise<boolean> {
    for (const waitMs of [0, ...retryAfterMs]) {
      if (waitMs > 0) await this.clock.sleep(waitMs * (this.options.retryScale ?? 1), this.closing.signal);
      if (this.closing.signal.aborted) return false;
      const at = this.clock.now();
      this.options.observer?.sending(text);
      const result = await this.post(id, body);
      attempts.push({ at, status: result.status, failure: result.failure });
      if (isAccepted(result)) {
        this.options.observer?.accepted(text);
        return true;
      }
      // Gone: the receiver wants no more of them.
      if (result.status === 410) return false;
    }
    return false;
  }

  private post(id: string, body: string) {
    const timestamp = Math.floor(this.clock.now() / 1000);
    const request = signStandardWebhook({ secret: this.options.secret, id, body, timestamp });
    return postWebhook(this.options.url, request, timeoutMs, this.closing.signal);
  }
}

/** A reply that came with a valid signature. */
export interface ReceivedReply {
  readonly id: string;
  readonly payload: Json;
  /** How often it came: more than one is a retry, which a receiver recognises by the id. */
  readonly deliveries: number;
}

/** The other end of a tenant's `replyUrl`: takes signed replies, refuses the rest with 401 and remembers why. */
export class ReplyReceiver {
  readonly faults = new Faults();
  /** Why requests were refused. */
  readonly refused: string[] = [];
  private readonly received = new Map<string, ReceivedReply>();
  private readonly listeners = new Set<() => void>();
  private readonly clock: Clock;
  private readonly server: LoopbackServer;

  constructor(private readonly options: { readonly secret: string; readonly clock?: Clock }) {
    this.clock = options.clock ?? systemClock;
    this.server = new LoopbackServer({
      clock: this.clock,
      faults: this.faults,
      operation: (request) => request.path,
      handle: (request) => this.handle(request),
      failure: (status, retryAfterSeconds) => ({
        status,
        ...(retryAfterSeconds !== undefined && { headers: { 'retry-after': String(retryAfterSeconds) } }),
      }),
    });
  }

  /** Starts on the port, or a free one; the address is the reply URL. */
  start(port = 0): Promise<string> {
    return this.server.listen(port);
  }

  close(): Promise<void> {
    return this.server.close();
  }

  /** Replies by the order of their first delivery; a repeated id is one reply. */
  replies(): ReceivedReply[] {
    return [...this.received.values()];
  }

  /** The first reply that satisfies the predicate, now or within the time. Rejects with what came instead. */
  waitFor(predicate: (reply: ReceivedReply) => boolean, timeoutMs = patienceMs): Promise<ReceivedReply> {
    const already = this.replies().find(predicate);
    if (already) return Promise.resolve(already);
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        this.listeners.delete(look);
      };
      const look = (): void => {
        const found = this.replies().find(predicate);
        if (!found) return;
        stop();
        resolve(found);
      };
      const timer = setTimeout(() => {
        stop();
        reject(
          new Error(
            `no such reply within ${timeoutMs} ms; received: ${JSON.stringify(this.replies())}, refused: ${this.refused.join('; ')}`,
          ),
        );
      }, timeoutMs);
      this.listeners.add(look);
    });
  }

  /** The replies for the {@link Ledger}; `conversation` names the conversation of a payload. */
  shown(conversation: (payload: Json) => string): ShownMessage[] {
    return this.replies().map(({ id, payload }) => ({ conversation: conversation(payload), id, text: JSON.stringify(payload) }));
  }

  private handle(request: WireRequest): WireAnswer {
    const problem = standardWebhookProblem(this.options.secret, request.headers, request.body, this.clock.now());
    const payload = parseJson(request.body.toString('utf8'));
    if (problem !== undefined || !isJson(payload)) {
      this.refused.push(problem ?? 'the body is no JSON object');
      return { status: problem === undefined ? 400 : 401 };
    }
    const id = String(request.headers['webhook-id']);
    this.received.set(id, { id, payload, deliveries: (this.received.get(id)?.deliveries ?? 0) + 1 });
    for (const listener of this.listeners) listener();
    return { status: 204 };
  }
}
