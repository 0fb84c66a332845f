import { InvalidInput, Unauthenticated, type InboundMessage } from '@rockpool/contracts';
import { z } from 'zod';
import { isoOfSeconds, makeConversationId, makeEventId } from '../inbound-ids.js';
import { parseJson } from '../json-body.js';
import { onlyHeader, requireFresh, usableSecrets } from '../verification.js';
import type { EndpointCredentials, ParsedWebhook, WebhookChannel, WebhookRequest } from '../webhook-channel.js';
import { isSignedBy } from './standard-webhooks.js';

const name = z.union([z.string(), z.int()]).transform(String).pipe(z.string().trim().min(1).max(150));

const content = z.object({
  text: z.string().optional(),
  message: z.string().optional(),
  content: z.string().optional(),
  conversation: name.optional(),
  sender: z.object({ id: name, name: z.string().max(200).optional() }).optional(),
});

const body = content.extend({ type: z.string().min(1).max(200).optional(), data: content.optional() });
const otherBody = z.object({ type: z.string().min(1).max(200) });

/** Who speaks when the sender names nobody: the system that holds the secret. */
const anonymous = 'api';

/**
 * Receives messages from any system that can sign a request by Standard Webhooks:
 * `{ "type": "message", "data": { "text", "conversation"?, "sender"?: { "id", "name"? } } }`, or the same fields without `type` and `data`, where `message`
 * or `content` may stand for `text`. Without `conversation` every sender has one conversation. Bodies of another `type` are recorded.
 */
export class HttpWebhookChannel implements WebhookChannel {
  readonly name = 'http';
  readonly maxBodyBytes = 1024 * 1024;
  /** The specification asks senders to try again; nothing makes them. */
  readonly retries = false;

  verify(request: WebhookRequest, credentials: EndpointCredentials): void {
    const id = onlyHeader(request, 'webhook-id');
    const timestamp = onlyHeader(request, 'webhook-timestamp');
    const signatures = onlyHeader(request, 'webhook-signature');
    requireFresh(timestamp, request.receivedAt);
    const secrets = usableSecrets(credentials.signingSecrets);
    if (!isSignedBy(secrets, { id, timestamp, body: request.body }, signatures)) {
      throw new Unauthenticated('no signature matches the body');
    }
  }

  parse(request: WebhookRequest, credentials: EndpointCredentials): ParsedWebhook {
    const json = parseJson(request.body);
    const type = otherBody.safeParse(json);
    const providerType = type.success ? type.data.type : 'message';
    const parsed = body.safeParse(providerType === 'message' ? json : {});
    if (!parsed.success) throw new InvalidInput(problemOf(parsed.error));
    const said = parsed.data.data ?? parsed.data;
    const text = said.text ?? said.message ?? said.content ?? '';
    if (providerType === 'message' && text.trim() === '') throw new InvalidInput('a message has a text');
    return { messages: [toInbound({ ...said, text, providerType }, request, credentials)] };
  }
}

function toInbound(
  said: { text: string; providerType: string; conversation?: string; sender?: { id: string; name?: string } },
  request: WebhookRequest,
  credentials: EndpointCredentials,
): InboundMessage {
  const { account } = credentials;
  const webhookId = onlyHeader(request, 'webhook-id');
  const chatId = said.conversation ?? said.sender?.id ?? 'default';
  return {
    eventId: makeEventId('http', account, webhookId),
    ...(credentials.tenantId !== undefined && { tenantId: credentials.tenantId }),
    conversationId: makeConversationId('http', account, chatId),
    kind: said.providerType === 'message' ? 'message' : 'other',
    providerType: said.providerType,
    target: { channel: 'http', account, chatId, messageId: webhookId, shared: credentials.tenantId === undefined },
    chatKind: 'direct',
    sender: {
      id: said.sender?.id ?? anonymous,
      isBot: false,
      ...(said.sender?.name !== undefined && { displayName: said.sender.name }),
    },
    text: said.text,
    attachments: [],
    addressed: true,
    sentAt: isoOfSeconds(Number(onlyHeader(request, 'webhook-timestamp')), request.receivedAt),
    receivedAt: request.receivedAt.toISOString(),
  };
}

function problemOf(error: z.ZodError): string {
  const [issue] = error.issues;
  return `the message does not fit: ${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'invalid'}`;
}
