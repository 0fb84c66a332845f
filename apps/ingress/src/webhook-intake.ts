import type { WebhookChannel, WebhookRequest } from '@rockpool/channels';
import {
  crashPoint,
  InvalidInput,
  MessageReceived,
  RockpoolError,
  Unauthenticated,
  type ChannelName,
  type EventId,
  type TenantId,
} from '@rockpool/contracts';
import type { EventPublisher } from '@rockpool/service';
import type { Credentials, Endpoint } from '@rockpool/tenancy';

/** What a provider is answered once its events are durable. */
export interface Accepted {
  /** Events that were published; empty for what the protocol sends besides, such as Slack's `url_verification`. */
  readonly eventIds: readonly EventId[];
  readonly response?: { readonly contentType: string; readonly body: string };
}

/**
 * Takes webhooks in: verify on the raw bytes, parse, publish. It resolves only once every event is durable; it rejects with `unauthenticated` before
 * anything of the body is believed, with `invalid` when verified bytes break the protocol, and with `unavailable` when the event could not be kept.
 */
export class WebhookIntake {
  private readonly channels: ReadonlyMap<ChannelName, WebhookChannel>;

  constructor(
    channels: readonly WebhookChannel[],
    private readonly credentials: Credentials,
    private readonly publisher: EventPublisher,
  ) {
    this.channels = new Map(channels.map((channel) => [channel.name, channel]));
  }

  /** `tenantId` is the one of the path: it only says whose secret has to fit. Without it, the platform's shared bot is meant. */
  async accept(name: ChannelName, tenantId: TenantId | undefined, request: WebhookRequest): Promise<Accepted> {
    const channel = this.channel(name);
    if (request.body.byteLength > channel.maxBodyBytes) {
      throw new RockpoolError('too_large', `a ${name} webhook has at most ${channel.maxBodyBytes} bytes`);
    }
    const endpoint = await this.endpointFor(name, tenantId, request);
    // The same words whether the endpoint is unknown or the signature wrong: nobody learns which tenants exist.
    if (!endpoint) throw new Unauthenticated('the signature is missing or wrong');
    crashPoint('before-verify');
    channel.verify(request, endpoint);
    crashPoint('after-verify');
    const parsed = channel.parse(request, endpoint);
    const source = `/ingress/${name}/${endpoint.account}`;
    await Promise.all(
      parsed.messages.map((message) =>
        this.publisher.publish(MessageReceived, message, {
          id: message.eventId,
          source,
          time: message.sentAt,
          ...(message.tenantId && { tenantId: message.tenantId }),
          subject: message.conversationId,
        }),
      ),
    );
    crashPoint('after-publish-before-200');
    return { eventIds: parsed.messages.map((message) => message.eventId), ...(parsed.response && { response: parsed.response }) };
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
  private async endpointFor(name: ChannelName, tenantId: TenantId | undefined, request: WebhookRequest): Promise<Endpoint | undefined> {
    const endpoint = await this.credentials.endpoint(name, tenantId);
    if (endpoint || tenantId !== undefined || name !== 'slack') return endpoint;
    const team = /"team_id"\s*:\s*"([A-Z0-9]{1,30})"/.exec(new TextDecoder().decode(request.body))?.[1];
    return team === undefined ? undefined : this.credentials.slackByTeam(team);
  }
}
