import { randomBytes } from 'node:crypto';
import type { WebhookChannel, WebhookRequest } from '@rockpool/channels';
import {
  codeOf,
  crashPoint,
  InvalidInput,
  RetryLater,
  Unauthenticated,
  type ChannelName,
  type EventId,
  type TenantId,
} from '@rockpool/contracts';
import type { Logger } from '@rockpool/service';
import type { Credentials, Endpoint } from '@rockpool/tenancy';
import type { InboundPublisher } from './inbound-publisher.js';
import { SignatureFailures } from './signature-failures.js';

/** What a provider is answered once its events are durable. */
export interface Accepted {
  /** Events that were published; empty for what the protocol sends besides, such as Slack's `url_verification`. */
  readonly eventIds: readonly EventId[];
  readonly response?: { readonly contentType: string; readonly body: string };
}

/** What comes in at which endpoint. */
export interface Delivery {
  readonly channel: ChannelName;
  /** The tenant of the path: it only says whose secret has to fit. `undefined` means the platform's shared bot. */
  readonly tenantId: TenantId | undefined;
  /** Where the connection comes from, as the socket says. */
  readonly address: string;
  readonly request: WebhookRequest;
}

/**
 * Takes webhooks in: verify on the raw bytes, parse, publish. It resolves only once every event is durable; it rejects with `unauthenticated` before
 * anything of the body is believed (with `rate_limited` where the sender has failed too often), with `invalid` when verified bytes break the protocol, and with
 * `unavailable` when the event could not be kept.
 */
export class WebhookIntake {
  private readonly channels: ReadonlyMap<ChannelName, WebhookChannel>;
  private readonly failures = new SignatureFailures();

  constructor(
    channels: readonly WebhookChannel[],
    private readonly credentials: Credentials,
    private readonly publisher: InboundPublisher,
    private readonly log: Logger,
  ) {
    this.channels = new Map(channels.map((channel) => [channel.name, channel]));
  }

  async accept(delivery: Delivery): Promise<Accepted> {
    const { channel: name, request } = delivery;
    const channel = this.channel(name);
    const endpoint = await this.endpointFor(delivery);
    crashPoint('before-verify');
    this.verify(channel, endpoint, delivery);
    crashPoint('after-verify');
    const parsed = channel.parse(request, endpoint);
    const source = `/ingress/${name}/${endpoint.account}`;
    const sender = { senderRetries: channel.retries };
    await Promise.all(parsed.messages.map((message) => this.publisher.publish(message, source, sender)));
    crashPoint('after-publish-before-200');
    return { eventIds: parsed.messages.map((message) => message.eventId), ...(parsed.response && { response: parsed.response }) };
  }

  private verify(channel: WebhookChannel, endpoint: Endpoint | undefined, delivery: Delivery): asserts endpoint is Endpoint {
    try {
      channel.verify(delivery.request, endpoint ?? nobodysEndpoint);
      if (!endpoint) throw new Unauthenticated('there is no such endpoint');
    } catch (error) {
      throw codeOf(error) === 'unauthenticated' ? this.refused(error as Error, delivery, endpoint) : error;
    }
  }

  private refused(error: Error, { channel, tenantId, address }: Delivery, endpoint: Endpoint | undefined): Error {
    const verdict = this.failures.note(address, tenantId === undefined ? channel : `${channel}/${tenantId}`);
    if (verdict.kind === 'refused') return error;
    if (verdict.first && endpoint) this.log.warn({ channel, tenantId, address }, 'a sender keeps failing the signature of this endpoint');
    return new RetryLater(verdict.retryAfterMs, error.message, { code: 'rate_limited', cause: error });
  }

  private channel(name: ChannelName): WebhookChannel {
    const channel = this.channels.get(name);
    if (!channel) throw new InvalidInput(`there is no webhook for ${name}`);
    return channel;
  }

  /**
   * A Slack request without tenant belongs to the platform's app, or to the app of the tenant that has this workspace. The team is read from bytes nobody
   * has verified yet; it only chooses the secret that they are then verified with.
   */
  private async endpointFor({ channel: name, tenantId, request }: Delivery): Promise<Endpoint | undefined> {
    const endpoint = await this.credentials.endpoint(name, tenantId);
    if (endpoint || tenantId !== undefined || name !== 'slack') return endpoint;
    const team = /"team_id"\s*:\s*"([A-Z0-9]{1,30})"/.exec(new TextDecoder().decode(request.body))?.[1];
    return team === undefined ? undefined : this.credentials.slackByTeam(team);
  }
}

/**
 * What is verified with where there is no endpoint: the refusal then has the same words and takes the same time as where there is one, and nobody learns which
 * tenants exist. Its secret, of a form that every channel takes, is known to nobody.
 */
const nobodysEndpoint: Endpoint = { account: '', signingSecrets: [`whsec_${randomBytes(32).toString('base64')}`] };
