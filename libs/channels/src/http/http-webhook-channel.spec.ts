import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { codeOf, tenantId } from '@rockpool/contracts';
import { signStandardWebhook } from '@rockpool/testkit';
import { channelContract } from '../testing/channel.contract.js';
import { fixture, fixtureNames, receivedAt, webhookRequest } from '../testing/requests.js';
import type { EndpointCredentials, WebhookRequest } from '../webhook-channel.js';
import { HttpReplyChannel } from './http-reply-channel.js';
import { HttpWebhookChannel } from './http-webhook-channel.js';

const channel = new HttpWebhookChannel();
const secret = `whsec_${Buffer.from('the secret of alice, 24 b').toString('base64')}`;
const credentials: EndpointCredentials = { tenantId: tenantId.parse('alice'), account: 'alice', signingSecrets: [secret] };
const nowSeconds = receivedAt.getTime() / 1000;

let count = 0;
function request(body: string | Uint8Array, signingSecret = secret, options: { id?: string; timestamp?: number } = {}) {
  const signed = signStandardWebhook({ secret: signingSecret, id: `msg_${++count}`, timestamp: nowSeconds, body, ...options });
  return webhookRequest(signed.body, signed.headers);
}
function accepts(genuine: WebhookRequest, signingSecrets: readonly string[] = [secret]): boolean {
  try {
    channel.verify(genuine, { ...credentials, signingSecrets });
    return true;
  } catch (error) {
    expect(codeOf(error)).toBe('unauthenticated');
    return false;
  }
}
const parse = (body: string) => channel.parse(request(body, secret, { id: 'msg_fixed' }), credentials).messages;

channelContract('Standard Webhooks', () => ({
  channel,
  credentials,
  otherCredentials: {
    tenantId: tenantId.parse('bob'),
    account: 'bob',
    signingSecrets: [`whsec_${Buffer.from('the secret of bob, twenty4').toString('base64')}`],
  },
  spareSecret: `whsec_${Buffer.from('the next secret of alice').toString('base64')}`,
  sign: (body, signingSecret) => request(body, signingSecret),
  proofHeaders: ['webhook-id', 'webhook-timestamp', 'webhook-signature'],
  proofListHeader: 'webhook-signature',
  coversBody: true,
  message: (text) => JSON.stringify({ type: 'message', data: { text, conversation: 'order-10042' } }),
  ownMessages: [],
  duplicates: [[1, 2, 3].map(() => request(fixture('http/message.json'), secret, { id: 'msg_same' }))],
  replies: new HttpReplyChannel(undefined),
  limit: Number.POSITIVE_INFINITY,
  lengthOf: (payload) => String(payload).length,
}));

describe('Standard Webhooks signatures', () => {
  const at = (request: WebhookRequest, seconds: number) => ({ ...request, receivedAt: new Date(seconds * 1000) });

  it("agree with the library's published example", () => {
    const published = webhookRequest('{"test": 2432232314}', {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
    expect(accepts(at(published, 1_614_265_330), ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'])).toBe(true);
    expect(accepts(at(published, 1_614_265_330), ['MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'])).toBe(true);
  });

  it('are good for exactly 300 s on both sides', () => {
    for (const seconds of [-300, 0, 300]) expect(accepts(request('{}', secret, { timestamp: nowSeconds + seconds }))).toBe(true);
    for (const seconds of [-301, 301]) expect(accepts(request('{}', secret, { timestamp: nowSeconds + seconds }))).toBe(false);
  });

  it('may be several, of which one has to match', () => {
    const genuine = request('{}');
    const [signature = ''] = genuine.headers['webhook-signature'] ?? [];
    const listed = (value: string) => accepts({ ...genuine, headers: { ...genuine.headers, 'webhook-signature': [value] } });
    expect(listed(`v1,AAAA v2,unknown ${signature} v1a,AAAA`)).toBe(true);
    expect(listed(`v1,AAAA v2,${signature.slice(3)}`)).toBe(false);
    expect(listed(signature.replace('v1,', 'v1a,'))).toBe(false);
    expect(listed(signature.slice(3))).toBe(false);
    expect(listed(Array.from({ length: 17 }, () => signature).join(' '))).toBe(false);
  });

  it('may be by a private key whose public half is enabled', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
    const whpk = `whpk_${raw.toString('base64')}`;
    const body = '{"text":"hi"}';
    const signature = sign(null, Buffer.from(`msg_9.${nowSeconds}.${body}`), privateKey).toString('base64');
    const signed = webhookRequest(body, {
      'webhook-id': 'msg_9',
      'webhook-timestamp': String(nowSeconds),
      'webhook-signature': `v1a,${signature}`,
    });
    expect(accepts(signed, [whpk])).toBe(true);
    expect(accepts(signed, [secret, whpk])).toBe(true);
    expect(accepts(signed)).toBe(false);
    expect(accepts({ ...signed, body: Buffer.from(`${body} `) }, [whpk])).toBe(false);
    // Whoever knows a public key could sign with it, were it taken for a secret.
    expect(accepts(request(body, `whsec_${raw.toString('base64')}`), [whpk])).toBe(false);
  });

  it.each(['whsec_', 'whsec_ ', 'whsec_====', 'whpk_', 'whsec_not base64!', 'whpk_AAAA'])('are refused under the secret "%s"', (broken) => {
    const empty = webhookRequest('{}', { 'webhook-id': 'm', 'webhook-timestamp': String(nowSeconds), 'webhook-signature': 'v1,' });
    expect(accepts(empty, [broken])).toBe(false);
    expect(accepts(request('{}'), [broken])).toBe(false);
  });
});

describe('messages over HTTP', () => {
  it.each(fixtureNames('http', '.json'))('read %s', (name) => {
    expect(parse(fixture(`http/${name}.json`))).toMatchSnapshot();
  });

  it('are numbered by tenant and webhook-id', () => {
    expect(parse('{"text":"x"}')).toMatchObject([{ eventId: 'http:alice:msg_fixed', conversationId: 'http:alice:default' }]);
    expect(parse('{"text":"x","sender":{"id":"carol"}}')).toMatchObject([{ conversationId: 'http:alice:carol' }]);
  });

  it.each([
    ['{"type":"message"}', 'a message has a text'],
    ['{"type":"message","data":{"text":7}}', 'data.text'],
    ['{"text":" "}', 'a message has a text'],
    ['{"text":"x","conversation":""}', 'conversation'],
    ['{"text":"x","sender":{"name":"nobody"}}', 'sender.id'],
    [`{"text":"x","conversation":"${'ü'.repeat(150)}"}`, 'too long'],
    ['not json', 'not JSON'],
  ])('refuse %s by naming the rule', (body, rule) => {
    expect(() => parse(body)).toThrow(rule);
  });
});
