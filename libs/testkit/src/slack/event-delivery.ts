import { randomBytes } from 'node:crypto';
import { signSlack } from '../signatures.js';
import type { Clock } from '../wire/clock.js';
import { isJson, parseJson, type Json } from '../wire/json.js';
import { isAccepted, postWebhook, type DeliveryAttempt, type DeliveryObserver, type PostResult } from '../wire/post-webhook.js';

/**
 * The Events API: an answer with 2xx within three seconds, or the event comes again at once, after a minute and after five, with the number and the reason
 * of the retry in headers and a fresh signature. Events overtake one another. https://docs.slack.dev/apis/events-api/#retries
 */
export interface SlackDelivery {
  readonly event: SlackEnvelope;
  readonly attempts: readonly DeliveryAttempt[];
  /** Resolves with true at the first 2xx, with false when Slack gave up. */
  readonly finished: Promise<boolean>;
}

/** The outer part of an event. */
export interface SlackEnvelope extends Json {
  readonly event_id: string;
  readonly event: Json;
}

const retryAfterMs = [0, 60_000, 300_000];
const answerWithinMs = 3_000;

export interface EventDeliveryOptions {
  readonly clock: Clock;
  readonly signingSecret: string;
  readonly url: string | undefined;
  /** Waits between attempts are multiplied with this. */
  readonly retryScale: number;
  readonly observer?: DeliveryObserver;
}

export class EventDelivery {
  readonly deliveries: SlackDelivery[] = [];
  private readonly closing = new AbortController();

  constructor(private readonly options: EventDeliveryOptions) {}

  /** Begins to deliver. `text` is what the ledger knows the message by. */
  send(envelope: SlackEnvelope, text: string): SlackDelivery {
    const attempts: DeliveryAttempt[] = [];
    const delivery = { event: envelope, attempts, finished: this.run(envelope, text, attempts) };
    this.deliveries.push(delivery);
    return delivery;
  }

  /** Posts the event once more, as a late retry or, with `newEventId`, as the same message under another id; the status, if there was an answer. */
  async redeliver(envelope: SlackEnvelope, newEventId: boolean): Promise<number | undefined> {
    const event = newEventId ? { ...envelope, event_id: newEventIdOf() } : envelope;
    const retry: Record<string, string> = { 'x-slack-retry-num': '1', 'x-slack-retry-reason': 'http_timeout' };
    return (await this.post(event, newEventId ? {} : retry)).status;
  }

  /** What Slack does when the request URL is entered: true when the challenge came back. */
  async verifyUrl(): Promise<boolean> {
    const challenge = randomBytes(24).toString('base64url');
    const result = await this.post({ token: 'verification-token', challenge, type: 'url_verification' }, {});
    const body = parseJson(result.body);
    return isAccepted(result) && (result.body.trim() === challenge || (isJson(body) && body['challenge'] === challenge));
  }

  close(): void {
    this.closing.abort();
  }

  private async run(envelope: SlackEnvelope, text: string, attempts: DeliveryAttempt[]): Promise<boolean> {
    if (this.options.url === undefined) return false;
    let reason: string | undefined;
    for (let retry = 0; retry <= retryAfterMs.length; retry++) {
      if (retry > 0) await this.options.clock.sleep((retryAfterMs[retry - 1] ?? 0) * this.options.retryScale, this.closing.signal);
      if (this.closing.signal.aborted) return false;
      const headers: Record<string, string> =
        reason === undefined ? {} : { 'x-slack-retry-num': String(retry), 'x-slack-retry-reason': reason };
      const at = this.options.clock.now();
      this.options.observer?.sending(text);
      const result = await this.post(envelope, headers);
      attempts.push({ at, status: result.status, failure: result.failure });
      if (isAccepted(result)) {
        this.options.observer?.accepted(text);
        return true;
      }
      if (result.headers?.get('x-slack-no-retry') === '1') return false;
      reason = reasonOf(result);
    }
    return false;
  }

  private post(body: Json, headers: Record<string, string>): Promise<PostResult> {
    if (this.options.url === undefined) throw new Error('the app has no request URL');
    const timestamp = Math.floor(this.options.clock.now() / 1000);
    const request = signSlack({ secret: this.options.signingSecret, body: JSON.stringify(body), timestamp });
    return postWebhook(this.options.url, { ...request, headers: { ...request.headers, ...headers } }, answerWithinMs, this.closing.signal);
  }
}

/** An id that no other event has. */
export function newEventIdOf(): string {
  return `Ev${randomBytes(6).toString('hex').toUpperCase()}`;
}

function reasonOf(result: PostResult): string {
  if (result.failure === 'timeout') return 'http_timeout';
  return result.failure === 'connection' ? 'connection_failed' : 'http_error';
}
