import type { Clock } from '../wire/clock.js';
import { parseJson, isJson, type Json } from '../wire/json.js';
import { isAccepted, postWebhook, retryAfterMs, type DeliveryAttempt, type DeliveryObserver } from '../wire/post-webhook.js';
import { signTelegram } from '../signatures.js';
import type { TelegramWebhook } from './bot.js';
import type { TelegramUpdate } from './types.js';

/**
 * Delivery of one bot's updates to its webhook, as the published server (tdlib/telegram-bot-api) does it: strictly first in first out per chat, chats side
 * by side up to `max_connections`; after a failure again at once, then after 2, 4, 8 … seconds up to a cap, or after `Retry-After` (at most an hour);
 * given up after 24 hours. A JSON answer with a `method` in it is executed as a call.
 */
export interface Delivery {
  readonly update: TelegramUpdate;
  readonly attempts: readonly DeliveryAttempt[];
  readonly state: 'pending' | 'accepted' | 'dropped';
  /** Resolves with true at the first 2xx, with false when it was given up. */
  readonly finished: Promise<boolean>;
}

interface Pending extends Delivery {
  state: Delivery['state'];
  readonly attempts: DeliveryAttempt[];
  readonly text: string;
  readonly expiresAt: number;
  readonly finish: (accepted: boolean) => void;
  failures: number;
  delayMs: number;
}

const capMs = 60_000;
const maxRetryAfterMs = 3_600_000;
const keptMs = 24 * 3_600_000;
// How long Telegram waits for an answer is not published (?).
const timeoutMs = 60_000;

export interface WebhookQueueOptions {
  readonly clock: Clock;
  /** Real waits are multiplied with this: 0.01 runs the schedule a hundred times as fast. */
  readonly retryScale: number;
  readonly observer?: DeliveryObserver;
  /** Executes the call found in a webhook's answer. */
  readonly call: (method: string, parameters: Json) => void;
}

export class WebhookQueue {
  /** Every update that was ever queued. */
  readonly deliveries: Delivery[] = [];
  lastError: { readonly at: number; readonly message: string } | undefined;
  private webhook: TelegramWebhook | undefined;
  private readonly queues = new Map<string, Pending[]>();
  private readonly draining = new Set<string>();
  private readonly closing = new AbortController();
  private connections = 0;
  private readonly waitingForConnection: (() => void)[] = [];

  constructor(private readonly options: WebhookQueueOptions) {}

  get pendingCount(): number {
    return [...this.queues.values()].reduce((sum, queue) => sum + queue.length, 0);
  }

  /** Delivers there from now on, beginning with what is pending; nowhere when undefined. */
  target(webhook: TelegramWebhook | undefined): void {
    this.webhook = webhook;
    for (const key of this.queues.keys()) void this.drain(key);
  }

  /** Queues an update behind those with the same key. `text` is what the ledger knows it by. */
  enqueue(key: string, update: TelegramUpdate, text: string): Delivery {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const pending: Pending = {
      update,
      text,
      attempts: [],
      state: 'pending',
      finished: promise,
      finish: resolve,
      expiresAt: this.options.clock.now() + keptMs,
      failures: 0,
      delayMs: 1000,
    };
    this.deliveries.push(pending);
    const queue = this.queues.get(key);
    if (queue) queue.push(pending);
    else this.queues.set(key, [pending]);
    void this.drain(key);
    return pending;
  }

  /** Sends the update once more beside the queue, as a sender that lost our 2xx would; the status, or undefined without an answer. */
  async redeliver(update: TelegramUpdate): Promise<number | undefined> {
    if (!this.webhook) throw new Error('the bot has no webhook to deliver to');
    return (await this.post(this.webhook, update)).status;
  }

  /** Forgets what is pending. */
  clear(): void {
    for (const pending of [...this.queues.values()].flat()) this.end(pending, 'dropped');
    this.queues.clear();
  }

  close(): void {
    this.closing.abort();
    this.clear();
  }

  private async drain(key: string): Promise<void> {
    if (this.draining.has(key)) return;
    this.draining.add(key);
    for (let head = this.head(key); head && this.webhook && !this.closing.signal.aborted; head = this.head(key)) {
      const waitMs = await this.attempt(head, this.webhook);
      if (head.state !== 'pending' && this.head(key) === head) this.queues.get(key)?.shift();
      else if (waitMs > 0) await this.options.clock.sleep(waitMs * this.options.retryScale, this.closing.signal);
    }
    if (!this.head(key)) this.queues.delete(key);
    this.draining.delete(key);
  }

  private head(key: string): Pending | undefined {
    return this.queues.get(key)?.[0];
  }

  /** One attempt; the milliseconds to the next one. */
  private async attempt(pending: Pending, webhook: TelegramWebhook): Promise<number> {
    await this.connect(webhook.maxConnections);
    const at = this.options.clock.now();
    this.options.observer?.sending(pending.text);
    const result = await this.post(webhook, pending.update).finally(() => this.disconnect());
    pending.attempts.push({ at, status: result.status, failure: result.failure });
    if (pending.state !== 'pending') return 0;
    if (isAccepted(result)) {
      this.options.observer?.accepted(pending.text);
      this.end(pending, 'accepted');
      this.execute(result.body);
      return 0;
    }
    const now = this.options.clock.now();
    this.lastError = { at: now, message: result.status ? `Wrong response from the webhook: ${result.status}` : 'Connection failed' };
    const asked = Math.min(maxRetryAfterMs, retryAfterMs(result.headers, now));
    if (asked === 0 && pending.failures > 0) pending.delayMs = Math.min(capMs, pending.delayMs * 2);
    const waitMs = asked > 0 ? asked : pending.failures > 0 ? pending.delayMs : 0;
    pending.failures++;
    if (now + waitMs > pending.expiresAt) this.end(pending, 'dropped');
    return waitMs;
  }

  private post(webhook: TelegramWebhook, update: TelegramUpdate) {
    const request = signTelegram({ secret: webhook.secret, body: JSON.stringify(update) });
    return postWebhook(webhook.url, request, timeoutMs, this.closing.signal);
  }

  private execute(body: string): void {
    const answer = parseJson(body);
    if (!isJson(answer) || typeof answer['method'] !== 'string') return;
    const { method, ...parameters } = answer;
    if (!/^(?:get|setwebhook$|deletewebhook$|close$|logout$)/i.test(method as string)) this.options.call(method as string, parameters);
  }

  private end(pending: Pending, state: 'accepted' | 'dropped'): void {
    pending.state = state;
    pending.finish(state === 'accepted');
  }

  private async connect(limit: number): Promise<void> {
    while (this.connections >= limit) await new Promise<void>((resolve) => this.waitingForConnection.push(resolve));
    this.connections++;
  }

  private disconnect(): void {
    this.connections--;
    this.waitingForConnection.shift()?.();
  }
}
