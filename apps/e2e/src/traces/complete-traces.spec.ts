import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chaosChannels } from '../chaos/options.js';
import { Stage } from '../chaos/stage.js';
import { chaosTenants, tenantsFileOf } from '../chaos/tenancy.js';
import { askControlPlane, readInstance } from '../control-plane.js';
import { missingIn, strayIn, unlinkedIn, type Span } from './message-trace.js';

const tenants = 5;
const perSecond = 30;
/** Spans are kept a moment after they end. */
const keptWithinMs = 5_000;

interface Answered {
  readonly eventId: string;
  readonly spans: readonly Span[];
}

let stage: Stage;
const said = new Set<string>();
const everySpan = new Map<string, Span>();
beforeAll(async () => {
  stage = await Stage.open({ seed: 'traces', tenants, channels: chaosChannels });
});
afterAll(() => stage.close());

const ask = <Answer>(path: string) => askControlPlane<Answer>(stage.product.process.dataDir, path);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** So many messages, evenly paced, from 20 conversations on each channel; a tenth is delivered again. `between` is told before each how many were sent. */
async function send(count: number, between: (sent: number) => void = () => undefined): Promise<void> {
  const talks = Array.from({ length: 60 }, (_, n) => stage.talk(chaosChannels[n % chaosChannels.length]!, n % tenants, n));
  const under: Promise<unknown>[] = [];
  const began = performance.now();
  for (let n = 0; n < count; n++) {
    between(n);
    const sent = talks[(n * 7) % talks.length]!.say(stage.ledger);
    under.push(n % 10 === 0 ? sent.accepted.then(() => sent.redeliver(2, true)) : sent.accepted);
    await pause(Math.max(0, began + ((n + 1) * 1000) / perSecond - performance.now()));
  }
  await Promise.all(under);
  await stage.untilAnswered();
}

/** Every event that was answered since the last call, with all that is kept of it: as soon as nothing is missing, or when nothing more is to be expected. */
async function answeredSince(): Promise<Answered[]> {
  const pages = await Promise.all(
    Array.from({ length: tenants }, (_, n) => ask<{ items: { eventId: string; state: string }[] }>(`inbox?tenant=t0${n + 1}&limit=1000`)),
  );
  const answered = pages.flatMap(({ items }) => items).filter(({ eventId, state }) => state === 'done' && !said.has(eventId));
  const giveUpAt = performance.now() + keptWithinMs;
  const found: Answered[] = [];
  for (const { eventId } of answered) {
    said.add(eventId);
    let spans = await spansOf(eventId);
    // A span is kept before those that it is a part of have ended.
    while (missingIn(eventId, spans).length + strayIn(spans).length > 0 && performance.now() < giveUpAt) {
      await pause(50);
      spans = await spansOf(eventId);
    }
    for (const span of spans) everySpan.set(span.spanId, span);
    found.push({ eventId, spans });
  }
  return found;
}

const spansOf = (eventId: string) => ask<{ items: Span[] }>(`traces/${encodeURIComponent(eventId)}`).then(({ items }) => items);
const incomplete = (answered: readonly Answered[]) =>
  answered.map(({ eventId, spans }) => ({ eventId, missing: missingIn(eventId, spans) })).filter(({ missing }) => missing.length > 0);

describe('the traces of 150 messages', () => {
  let answered: Answered[];
  beforeAll(async () => {
    await send(150);
    answered = await answeredSince();
  });

  it('lead from the webhook to the reply, each in one trace', () => {
    expect(answered).toHaveLength(150);
    expect(incomplete(answered)).toEqual([]);
  });

  it('have no span without its parent', () => {
    expect(answered.flatMap(({ spans }) => strayIn(spans)).map(({ name }) => name)).toEqual([]);
  });

  it('are what repeated deliveries link to', () => {
    const traces = answered.map(({ spans }) => new Set(spans.map(({ traceId }) => traceId)).size);
    expect(traces.filter((count) => count > 1).length).toBeGreaterThanOrEqual(15);
    expect(answered.flatMap(({ eventId, spans }) => unlinkedIn(eventId, spans))).toEqual([]);
  });
});

describe('the traces of 500 messages with a SIGKILL and a SIGTERM among them', () => {
  let answered: Answered[];
  beforeAll(async () => {
    let ended = Promise.resolve();
    // So that there is always something under way.
    stage.model.when(() => true).reply({ text: ({ lastUserText }) => `You said: ${lastUserText}`, firstTokenMs: 100 });
    await send(500, (sent) => {
      if (sent === 150) ended = end('SIGKILL');
      if (sent === 300) ended = ended.then(() => end('SIGTERM'));
    });
    await ended;
    answered = await answeredSince();
  });

  /** In the middle of a run. */
  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const { url } = await readInstance(stage.product.process.dataDir);
    const isRunning = () => stage.model.requests.slice(-20).some(({ outcome }) => outcome === 'pending');
    for (let tries = 0; tries < 500 && !isRunning(); tries++) await fetch(`${url}/healthz`);
    await stage.product.process.restart(signal);
  }

  it('lead from the webhook to the reply for 99 of 100', () => {
    const missing = incomplete(answered);
    expect(answered.length).toBeGreaterThanOrEqual(480);
    const allowed = Math.floor(answered.length / 100);
    expect(missing.slice(allowed)).toEqual([]);
  });

  it('show what was tried again in the same trace, or link to it', () => {
    const again = answered.filter(({ spans }) => spans.some(({ attributes }) => Number(attributes['rockpool.turn.attempt']) > 1));
    expect(again.length).toBeGreaterThan(0);
    expect(answered.flatMap(({ eventId, spans }) => unlinkedIn(eventId, spans))).toEqual([]);
  });
});

describe('no span', () => {
  it('says what somebody wrote or was answered, or a secret', () => {
    const { secrets } = tenantsFileOf(chaosTenants(tenants, chaosChannels, Array<string>(tenants).fill('http://127.0.0.1')));
    const text = JSON.stringify([...everySpan.values()]);
    expect(everySpan.size).toBeGreaterThan(3_000);
    expect(text).not.toMatch(/zq[0-9a-f]{14}|You said/);
    expect(Object.entries(secrets).filter(([, value]) => text.includes(value))).toEqual([]);
  });
});
