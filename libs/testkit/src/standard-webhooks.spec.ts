import { afterEach, describe, expect, it } from '@jest/globals';
import { ReplyReceiver, StandardWebhooksSender } from './standard-webhooks.js';
import { ManualClock } from './wire/clock.js';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

describe('Standard Webhooks, from sender to receiver', () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  async function pair(signedWith = secret) {
    const clock = new ManualClock();
    const receiver = new ReplyReceiver({ secret, clock });
    const sender = new StandardWebhooksSender({ url: await receiver.start(), secret: signedWith, clock });
    closers.push(
      () => sender.close(),
      () => receiver.close(),
    );
    return { clock, receiver, sender };
  }

  it('delivers a signed payload', async () => {
    const { receiver, sender } = await pair();
    const sent = sender.send({ text: 'hi' });
    expect(await sent.accepted).toBe(true);
    expect(await receiver.waitFor(({ id }) => id === sent.id)).toEqual({ id: sent.id, payload: { text: 'hi' }, deliveries: 1 });
  });

  it('sees a repeated id as one reply', async () => {
    const { receiver, sender } = await pair();
    const sent = sender.send({ text: 'hi' });
    await sent.accepted;
    expect(await sent.redeliver()).toBe(204);
    expect(receiver.replies()).toMatchObject([{ id: sent.id, deliveries: 2 }]);
    expect(receiver.shown(() => 'c')).toMatchObject([{ conversation: 'c', text: '{"text":"hi"}' }]);
  });

  it('refuses what is signed with another secret', async () => {
    const { receiver, sender, clock } = await pair(`whsec_${Buffer.from('other').toString('base64')}`);
    const sent = sender.send({ text: 'hi' });
    expect(await clock.nextSleep()).toBe(5000);
    expect([receiver.replies(), receiver.refused]).toEqual([[], ['no signature matches']]);
    sender.close();
    expect(await sent.accepted).toBe(false);
  });

  it('keeps the recommended schedule and the same id, freshly signed', async () => {
    const { receiver, sender, clock } = await pair();
    receiver.faults.add({ kind: 'status', status: 500 });
    const sent = sender.send({ text: 'hi' });
    const waits = [];
    for (let retry = 1; retry <= 9; retry++) {
      const wait = await clock.nextSleep();
      waits.push(wait / 1000);
      clock.advance(wait);
    }
    expect(await sent.accepted).toBe(false);
    expect(waits).toEqual([5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]);
    expect(sent.attempts).toHaveLength(10);
  });

  it('has the reply although its sender was told nothing', async () => {
    const { receiver, sender, clock } = await pair();
    receiver.faults.add({ kind: 'accept-then-drop', times: 1 });
    const sent = sender.send({ text: 'hi' });
    clock.advance(await clock.nextSleep());
    expect(await sent.accepted).toBe(true);
    expect(receiver.replies()).toMatchObject([{ deliveries: 2 }]);
  });

  it('stops when the receiver is gone for good', async () => {
    const { receiver, sender } = await pair();
    receiver.faults.add({ kind: 'status', status: 410 });
    expect(await sender.send({ text: 'hi' }).accepted).toBe(false);
  });
});
