import type { FakeSubscription, Handed, Taker } from './pub-sub-fake-subscription.js';

const mostAtOnce = 100;
/** https://cloud.google.com/pubsub/docs/push#receive_push */
const acknowledging = new Set([102, 200, 201, 202, 204]);

/** Mints the OIDC token that a push carries. */
export type MintToken = (account: string, audience: string) => Promise<string> | string;

/** Posts the messages of one subscription to its endpoint, one of a key at a time, with the wrapped envelope and an OIDC token. */
export class Pusher implements Taker {
  readonly oneOfAKey = true;
  readonly mostHeld = mostAtOnce;
  readonly #closing = new AbortController();
  #running = 0;

  constructor(
    private readonly subscription: FakeSubscription,
    private readonly mint: MintToken,
  ) {}

  get room(): number {
    return mostAtOnce - this.#running;
  }

  get leaseMs(): number {
    return this.subscription.rules.ackDeadlineMs;
  }

  take(handed: Handed[]): void {
    for (const one of handed) void this.#push(one);
  }

  close(): void {
    this.#closing.abort();
  }

  async #push(handed: Handed): Promise<void> {
    this.#running += 1;
    const isAcknowledged = await this.#post(handed).catch(() => false); // nobody there, or nobody in time
    this.#running -= 1;
    if (isAcknowledged) this.subscription.ack(handed.ackId);
    else this.subscription.modify(handed.ackId, 0);
    this.subscription.refill();
  }

  async #post({ message, deliveryAttempt }: Handed): Promise<boolean> {
    const { name, push } = this.subscription.rules;
    const { messageId, attributes, orderingKey } = message;
    const publishTime = new Date(message.publishedAtMs).toISOString();
    const response = await fetch(push!.endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${await this.mint(push!.email, push!.audience)}`,
        'user-agent': 'CloudPubSub-Google',
      },
      body: JSON.stringify({
        message: {
          ...(Object.keys(attributes).length > 0 && { attributes }),
          ...(message.data.length > 0 && { data: message.data.toString('base64') }),
          ...{ messageId, message_id: messageId, publishTime, publish_time: publishTime },
          ...(orderingKey !== '' && { orderingKey }),
        },
        subscription: name,
        ...(deliveryAttempt > 0 && { deliveryAttempt }),
      }),
      signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.leaseMs)]),
    });
    await response.body?.cancel();
    return acknowledging.has(response.status);
  }
}
