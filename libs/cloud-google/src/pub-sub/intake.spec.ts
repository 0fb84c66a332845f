import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { gate, Recorder, subscriptionFor, textOf } from '@rockpool/cloud/testing';
import type { Incoming } from './incoming.js';
import { Intake, type IntakeOptions } from './intake.js';

const spec = subscriptionFor('inbound-messages.dispatcher');
const start = Date.parse('2026-03-01T12:00:00Z');

/** Deliveries as a source makes them, and what became of each: `1 acked`, `2 back after 10`. */
class Source {
  readonly answers: string[] = [];

  deliver(intake: Intake, messageId: string, more: Partial<Incoming> = {}): void {
    intake.accept({
      messageId,
      body: Buffer.from(messageId),
      attributes: {},
      orderingKey: 'k',
      publishedAt: new Date(start + Number(messageId)),
      ack: () => void this.answers.push(`${messageId} acked`),
      release: (afterMs) => void this.answers.push(`${messageId} back after ${afterMs}`),
      ...more,
    });
  }
}

describe('the messages of a key', () => {
  let source: Source;
  const intakeOf = (options: Partial<IntakeOptions> = {}) =>
    new Intake(spec, { keepsPlace: true, bury: () => Promise.resolve(), onDone: () => undefined, onFault: () => undefined, ...options });

  beforeEach(() => {
    jest.useFakeTimers({ now: start, doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    source = new Source();
  });
  afterEach(() => void jest.useRealTimers());

  it('wait while an earlier one is away, and are handled once it is back', async () => {
    const intake = intakeOf();
    const recorder = new Recorder(({ attempt }) => (attempt === 1 ? { kind: 'retry' } : { kind: 'ack' }));
    intake.consume(recorder.handle, () => undefined);
    source.deliver(intake, '1', { deliveryAttempt: 1 });
    source.deliver(intake, '2', { deliveryAttempt: 2 });
    await recorder.began(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(source.answers).toEqual(['1 back after 10']);
    source.deliver(intake, '1', { deliveryAttempt: 2 });
    await recorder.began(3);
    expect(recorder.bodies).toEqual(['1', '1', '2']);
  });

  it('go back too when an earlier one does not return', async () => {
    const intake = intakeOf();
    const recorder = new Recorder(() => ({ kind: 'retry', afterMs: 1_000 }));
    intake.consume(recorder.handle, () => undefined);
    source.deliver(intake, '1');
    source.deliver(intake, '2');
    await recorder.began(1);
    await new Promise((resolve) => setImmediate(resolve));
    jest.advanceTimersByTime(4_000);
    expect(source.answers).toEqual(['1 back after 1000']);
    jest.advanceTimersByTime(5_000);
    expect(source.answers).toEqual(['1 back after 1000', '2 back after 0']);
    source.deliver(intake, '3');
    await recorder.began(2);
    expect(recorder.bodies).toEqual(['1', '3']);
  });

  it('go back with an earlier one where they may go to another process at once', async () => {
    const intake = intakeOf({ keepsPlace: false });
    const held = gate();
    const recorder = new Recorder(() => held.opened.then(() => ({ kind: 'retry' })));
    intake.consume(recorder.handle, () => undefined);
    source.deliver(intake, '1');
    source.deliver(intake, '2');
    await recorder.began(1);
    held.open();
    await new Promise((resolve) => setImmediate(resolve));
    expect(source.answers).toEqual(['1 back after 10', '2 back after 0']);
    expect([...intake.inHand()]).toEqual([]);
  });

  it('are handled in the order of their publishing, when they come back in another', async () => {
    const intake = intakeOf();
    const held = gate();
    const recorder = new Recorder((delivery) => (textOf(delivery) === '1' ? held.opened.then(() => ({ kind: 'ack' })) : { kind: 'ack' }));
    intake.consume(recorder.handle, () => undefined);
    for (const id of ['1', '4', '2', '3']) source.deliver(intake, id);
    await recorder.began(1);
    held.open();
    await recorder.began(4);
    expect(recorder.bodies).toEqual(['1', '2', '3', '4']);
  });

  it('are answered for every copy of them', async () => {
    const intake = intakeOf();
    const held = gate();
    const recorder = new Recorder(() => held.opened.then(() => ({ kind: 'ack' })));
    intake.consume(recorder.handle, () => undefined);
    for (let copy = 0; copy < 3; copy += 1) source.deliver(intake, '1');
    await recorder.began(1);
    held.open();
    await new Promise((resolve) => setImmediate(resolve));
    source.deliver(intake, '1');
    expect(source.answers).toEqual(Array(4).fill('1 acked'));
    expect(recorder.deliveries).toHaveLength(1);
  });

  it('are handled again when they come after a quarter of an hour: then somebody wants it', async () => {
    const intake = intakeOf();
    const recorder = new Recorder();
    intake.consume(recorder.handle, () => undefined);
    source.deliver(intake, '1');
    await recorder.began(1);
    await new Promise((resolve) => setImmediate(resolve));
    jest.advanceTimersByTime(15 * 60_000);
    source.deliver(intake, '1');
    await recorder.began(2);
  });

  it('are counted here where Pub/Sub does not count', async () => {
    const intake = intakeOf();
    const recorder = new Recorder(() => ({ kind: 'retry' }));
    intake.consume(recorder.handle, () => undefined);
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      source.deliver(intake, '1');
      await recorder.began(attempt);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(recorder.deliveries.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
    expect(source.answers.slice(-2)).toEqual(['1 back after 40', '1 acked']);
  });
});
