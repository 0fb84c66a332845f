import { createHash } from 'node:crypto';
import { InvalidInput, Unauthenticated, type InboundMessage } from '@rockpool/contracts';
import { isoOfSeconds, makeEventId } from '../inbound-ids.js';
import { parseJson } from '../json-body.js';
import { hmacSha256, onlyHeader, requireFresh, sameDigest, usableSecrets } from '../verification.js';
import type { EndpointCredentials, ParsedWebhook, WebhookChannel, WebhookRequest } from '../webhook-channel.js';
import { SlackApp } from './slack-app.js';
import { readSlackEvent } from './slack-events.js';
import { payloadOf, readInteraction, readSlashCommand } from './slack-forms.js';
import { slackDelivery, slackEvent, type SlackDelivery } from './slack-types.js';

/**
 * Receives Slack's Events API, slash commands and interactions on one URL. Every delivery, `url_verification` too, carries
 * `X-Slack-Signature: v0=` and the hexadecimal HMAC-SHA256 of `v0:<timestamp>:<raw body>`.
 * https://docs.slack.dev/authentication/verifying-requests-from-slack
 */
export class SlackWebhookChannel implements WebhookChannel {
  readonly name = 'slack';
  readonly maxBodyBytes = 1024 * 1024;
  readonly retries = true;

  verify(request: WebhookRequest, credentials: EndpointCredentials): void {
    const timestamp = onlyHeader(request, 'x-slack-request-timestamp');
    const [, digest] = /^v0=([0-9a-f]{64})$/.exec(onlyHeader(request, 'x-slack-signature')) ?? [];
    if (digest === undefined) throw new Unauthenticated('the signature is not one of version v0');
    requireFresh(timestamp, request.receivedAt);
    const presented = Buffer.from(digest, 'hex');
    let genuine = false;
    for (const secret of usableSecrets(credentials.signingSecrets)) {
      genuine = sameDigest(presented, hmacSha256(secret, `v0:${timestamp}:`, request.body)) || genuine;
    }
    if (!genuine) throw new Unauthenticated('the signature does not match the body');
  }

  parse(request: WebhookRequest, credentials: EndpointCredentials): ParsedWebhook {
    const contentType = request.headers['content-type']?.[0] ?? '';
    const isForm = contentType.toLowerCase().startsWith('application/x-www-form-urlencoded');
    return isForm ? parseForm(request, credentials) : parseDelivery(request, credentials);
  }
}

function parseForm(request: WebhookRequest, credentials: EndpointCredentials): ParsedWebhook {
  const form = new URLSearchParams(new TextDecoder().decode(request.body).toWellFormed());
  const makeApp = (id: string, team?: string) => new SlackApp(id, team, botUsersOf(credentials), credentials, request.receivedAt);
  const fallbackId = digestOf(request.body);
  if (form.has('payload')) return only(readInteraction(payloadOf(form), makeApp, fallbackId));
  if (form.has('command')) {
    const app = makeApp(form.get('api_app_id') ?? 'none', form.get('team_id') ?? undefined);
    return only(readSlashCommand(form, app, fallbackId));
  }
  // Slack's own check that the URL has a valid certificate asks for nothing but a 200.
  if (form.has('ssl_check')) return { messages: [] };
  throw new InvalidInput('the form is neither a command nor an interaction');
}

function parseDelivery(request: WebhookRequest, credentials: EndpointCredentials): ParsedWebhook {
  const parsed = slackDelivery.safeParse(parseJson(request.body));
  if (!parsed.success) throw new InvalidInput('the body is not a delivery of the Events API: it has no type');
  const delivery = parsed.data;
  if (delivery.type === 'url_verification') return answerChallenge(delivery.challenge);
  const botUsers = botUsersOf(credentials, delivery);
  const app = new SlackApp(delivery.api_app_id ?? 'none', delivery.team_id, botUsers, credentials, request.receivedAt);
  const eventId = delivery.event_id ?? digestOf(request.body);
  const event = slackEvent.safeParse(delivery.event);
  if (delivery.type === 'event_callback' && event.success) {
    return only(readSlackEvent(event.data, app, { eventId, eventTime: delivery.event_time }));
  }
  return only(unknownDelivery(delivery, app, eventId));
}

/** The challenge is echoed only as far as it can be nothing but an opaque word. */
function answerChallenge(challenge: unknown): ParsedWebhook {
  if (typeof challenge !== 'string' || !/^[\w.~+/=: -]{1,200}$/.test(challenge)) {
    throw new InvalidInput('the challenge is not a plain string of at most 200 characters');
  }
  return { messages: [], response: { contentType: 'text/plain', body: challenge } };
}

/** A delivery that is no event, such as `app_rate_limited`: for the record. */
function unknownDelivery(delivery: SlackDelivery, app: SlackApp, eventId: string): InboundMessage {
  return {
    ...app.envelope({ direct: true }),
    eventId: makeEventId('slack', app.id, eventId),
    kind: delivery.type === 'app_rate_limited' ? 'status' : 'other',
    providerType: delivery.type,
    sender: { id: 'none', isBot: false },
    text: '',
    attachments: [],
    addressed: false,
    sentAt: isoOfSeconds(delivery.event_time ?? delivery.minute_rate_limited, app.receivedAt),
  };
}

/** The users the app acts as. An authorization by a person's own token names that person, who is not the bot. */
function botUsersOf(credentials: EndpointCredentials, delivery?: SlackDelivery): Set<string> {
  const authorized = (delivery?.authorizations ?? []).filter((authorization) => authorization.is_bot !== false);
  const users = [credentials.botUserId, ...authorized.map((authorization) => authorization.user_id)];
  return new Set(users.filter((user): user is string => user !== undefined && user !== ''));
}

/** An id for a delivery that brings none: the same bytes have the same id. */
function digestOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}

function only(message: InboundMessage | undefined): ParsedWebhook {
  return { messages: message === undefined ? [] : [message] };
}
