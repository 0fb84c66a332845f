import { describe, expect, it } from '@jest/globals';
import { signSlack, signStandardWebhook, signTelegram, standardWebhookProblem } from './signatures.js';

describe('signatures against the published vectors', () => {
  it('signs as in the example of the Slack documentation', () => {
    const body =
      'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA' +
      '&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554' +
      '%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c';
    const { headers } = signSlack({ secret: '8f742231b10e8888abcd99yyyzzz85a5', timestamp: 1531420618, body });
    expect(headers['x-slack-signature']).toBe('v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503');
  });

  it('signs as the Standard Webhooks library does', () => {
    const { headers } = signStandardWebhook({
      secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      timestamp: 1614265330,
      body: '{"test": 2432232314}',
    });
    expect(headers['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  it('sends the secret of a Telegram webhook, when there is one', () => {
    expect(signTelegram({ secret: 's', body: '{}' }).headers).toMatchObject({ 'x-telegram-bot-api-secret-token': 's' });
    expect(signTelegram({ body: '{}' }).headers).not.toHaveProperty('x-telegram-bot-api-secret-token');
  });
});

describe('verification of Standard Webhooks', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const timestamp = 1614265330;
  const now = timestamp * 1000;
  const { headers } = signStandardWebhook({ secret, id: 'msg_1', timestamp, body: '{}' });
  const body = Buffer.from('{}');

  it('takes any of several signatures, up to 300 seconds either way', () => {
    const several = { ...headers, 'webhook-signature': `v1,bm9uc2Vuc2U= v1a,x ${headers['webhook-signature']}` };
    expect(standardWebhookProblem(secret, several, body, now + 300_000)).toBeUndefined();
    expect(standardWebhookProblem(secret, several, body, now - 300_000)).toBeUndefined();
  });

  it.each([
    ['another body', secret, headers, Buffer.from('{} '), now],
    ['another secret', `whsec_${Buffer.from('other').toString('base64')}`, headers, body, now],
    ['another id', secret, { ...headers, 'webhook-id': 'msg_2' }, body, now],
    ['an old timestamp', secret, headers, body, now + 301_000],
    ['a future timestamp', secret, headers, body, now - 301_000],
    ['no signature', secret, { ...headers, 'webhook-signature': undefined }, body, now],
    ['no id', secret, { ...headers, 'webhook-id': undefined }, body, now],
  ])('refuses %s', (_, key, given, bytes, at) => {
    expect(standardWebhookProblem(key, given, bytes, at)).toEqual(expect.any(String));
  });
});
