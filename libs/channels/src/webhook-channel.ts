import type { ChannelName, InboundMessage, TenantId } from '@rockpool/contracts';

/** A webhook as it came over the wire: raw bytes, headers as received (lower-case names, every value of a repeated header kept). */
export interface WebhookRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly receivedAt: Date;
}

/**
 * What an endpoint is verified with, loaded by the caller for this endpoint alone. Each list holds every enabled version of the secret (newest first), so
 * that a rotation refuses nothing; an empty list verifies nothing.
 */
export interface EndpointCredentials {
  /** The tenant whose own endpoint this is; absent for a bot of the platform. */
  readonly tenantId?: TenantId;
  /** Telegram bot id, Slack team id (own app), or the tenant id for http. */
  readonly account: string;
  /** Telegram secret token, Slack signing secret, Standard Webhooks secret. */
  readonly signingSecrets: readonly string[];
  /** Telegram: the bot's username without `@`. Without it the mention of any bot in a group counts as one of this bot. */
  readonly botUsername?: string;
  /** Slack: the bot's user id, for deliveries that name no authorization. Ordinary deliveries name it themselves. */
  readonly botUserId?: string;
}

/** What the bytes say, once verified. */
export interface ParsedWebhook {
  readonly messages: readonly InboundMessage[];
  /** When the protocol wants more than an empty 200: Slack's `url_verification` challenge. Never echoes anything else of the input. */
  readonly response?: { readonly contentType: string; readonly body: string };
}

/** The receiving side of a channel: pure functions of the request, no I/O. */
export interface WebhookChannel {
  readonly name: ChannelName;
  /** Larger bodies are refused with 413 before they are read to the end. */
  readonly maxBodyBytes: number;
  /** Whether the sender delivers again after anything but a 2xx. Where it may not, what the bus cannot take is spooled. */
  readonly retries: boolean;
  /** Throws `Unauthenticated` unless the request is proven to come from the provider for this endpoint. Constant time in the secret. */
  verify(request: WebhookRequest, credentials: EndpointCredentials): void;
  /** Only called with a verified request. Throws `InvalidInput` when the body is not what the provider's protocol allows. */
  parse(request: WebhookRequest, credentials: EndpointCredentials): ParsedWebhook;
}
