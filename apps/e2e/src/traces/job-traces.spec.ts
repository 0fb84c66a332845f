import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@rockpool/testkit';
import { labelIn, errandStep, roleOf, stepFor, wordsOf, type ErrandKind } from '../chaos/errands.js';
import { chaosChannels } from '../chaos/options.js';
import { Stage } from '../chaos/stage.js';
import { askControlPlane } from '../control-plane.js';
import { missingInJob, unlinkedSlices } from './job-trace.js';
import { strayIn, type Span } from './message-trace.js';

const tenants = 5;
/** Spans are kept a moment after they end. */
const keptWithinMs = 5_000;

let stage: Stage;
let talks = 0;
const said = new Set<string>();
beforeAll(async () => {
  stage = await Stage.open({ seed: 'job-traces', tenants, channels: chaosChannels });
  stage.model.when((request) => stepFor(request) !== undefined).reply(errandStep);
});
afterAll(() => stage.close());

interface Traced {
  readonly eventId: string;
  readonly spans: readonly Span[];
}

/** Starts so many jobs at once, each in a conversation of its own. Resolves with their tokens once every one was told of. */
async function startJobs(count: number, kindOf: (n: number) => ErrandKind): Promise<string[]> {
  const sent = Array.from({ length: count }, (_, n) => {
    const at = talks++;
    return stage.talk(chaosChannels[at % chaosChannels.length]!, at % tenants, at).say(stage.ledger, wordsOf(kindOf(n), 2));
  });
  await Promise.all(sent.map(({ accepted }) => accepted));
  const tokens = sent.map(({ text }) => text.split(' ').at(-1)!);
  await eventually('all have become jobs', () => tokens.every((token) => isShown('status', token) || isShown('result', token)));
  return tokens;
}

function isShown(role: 'status' | 'result', token: string): boolean {
  return stage.shown().some((message) => roleOf(message).role === role && roleOf(message).token === token);
}

const untilFinished = (tokens: readonly string[]) =>
  eventually(
    () => `jobs are done: ${tokens.filter((token) => !isShown('result', token)).join(', ')}`,
    () => tokens.every((token) => isShown('result', token)),
  );

/** Every message that started a job since the last call, with all that is kept of it: as soon as nothing is missing, or when nothing more is to be expected. */
async function tracedSince(): Promise<Traced[]> {
  const { dataDir } = stage.product.process;
  const pages = await Promise.all(
    Array.from({ length: tenants }, (_, n) =>
      askControlPlane<{ items: { eventId: string }[] }>(dataDir, `inbox?tenant=t0${n + 1}&limit=1000`),
    ),
  );
  const events = pages.flatMap(({ items }) => items.map(({ eventId }) => eventId));
  const started = events.filter((eventId) => !eventId.startsWith('job:') && !said.has(eventId));
  const giveUpAt = performance.now() + keptWithinMs;
  const traced: Traced[] = [];
  for (const eventId of started) {
    said.add(eventId);
    const find = () => askControlPlane<{ items: Span[] }>(dataDir, `traces/${encodeURIComponent(eventId)}`).then(({ items }) => items);
    let spans = await find();
    while (missingInJob(eventId, spans).length + strayIn(spans).length > 0 && performance.now() < giveUpAt) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      spans = await find();
    }
    traced.push({ eventId, spans });
  }
  return traced;
}

const incomplete = (traced: readonly Traced[]) =>
  traced.map(({ eventId, spans }) => ({ eventId, missing: missingInJob(eventId, spans) })).filter(({ missing }) => missing.length > 0);

describe('the traces of 30 messages that start jobs', () => {
  let traced: Traced[];
  beforeAll(async () => {
    await untilFinished(await startJobs(30, (n) => (n % 3 === 0 ? 'parts' : 'steps')));
    traced = await tracedSince();
  });

  it('lead from the webhook over promotion, slices and steps to the result at the channel, each in one trace', () => {
    expect(traced).toHaveLength(30);
    expect(incomplete(traced)).toEqual([]);
  });

  it('have every wait’s slice and every builder’s slices in them, and no span without its parent', () => {
    const slicesOf = ({ spans }: Traced) => spans.filter(({ name }) => name === 'job slice');
    for (const one of traced) {
      const jobs = new Set(slicesOf(one).map(({ attributes }) => attributes['rockpool.job.id']));
      // Two waits, or a manager that waits for two builders, each of which waits.
      expect(slicesOf(one).length).toBeGreaterThanOrEqual(jobs.size === 1 ? 3 : 6);
      expect([1, 3]).toContain(jobs.size);
    }
    expect(traced.flatMap(({ spans }) => strayIn(spans)).map(({ name }) => name)).toEqual([]);
  });

  it('are what `rockpool trace` shows of the event', async () => {
    const shown = await stage.product.rockpool('trace', traced[0]!.eventId);
    for (const name of ['job promote', 'job slice', 'job step', 'reply.send']) expect(shown).toContain(name);
  });
});

describe('the traces of 100 messages that start jobs, with a SIGKILL in the midst of them', () => {
  let traced: Traced[];
  beforeAll(async () => {
    const tokens = await startJobs(100, () => 'steps');
    expect(tokens.some((token) => !isShown('result', token))).toBe(true);
    await stage.product.process.restart('SIGKILL');
    await untilFinished(tokens);
    traced = await tracedSince();
  }, 240_000);

  it('lead to the result at the channel for 99 of 100', () => {
    expect(traced.length).toBeGreaterThanOrEqual(99);
    expect(incomplete(traced).slice(Math.floor(traced.length / 100))).toEqual([]);
  });

  it('show the slices before and after the kill in one trace, or linked to it', () => {
    expect(traced.flatMap(({ eventId, spans }) => unlinkedSlices(eventId, spans))).toEqual([]);
  });

  it('say nothing of what was written, or by which number people know a job', () => {
    const text = JSON.stringify(traced);
    expect(text).not.toMatch(/[zj]q[0-9a-f]{14}|built part/);
    expect(stage.shown().some((message) => labelIn(message.text) !== undefined)).toBe(true);
  });
});
