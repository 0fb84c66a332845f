import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@rockpool/testkit';
import { askControlPlane } from '../control-plane.js';
import { chaosChannels } from './options.js';
import { Stage } from './stage.js';
import type { Sent } from './talks.js';

/** The marks in the product in the order in which a message passes them, which passing is the last, and how often the model may be asked in all. */
const points = [
  ['before-verify:1', 1],
  ['after-verify:1', 1],
  ['after-publish-before-200:1', 1],
  ['after-receive-before-commit:1', 1],
  ['after-commit-before-wake:1', 1],
  ['after-wake-before-ack:1', 2],
  ['after-lease:1', 1],
  ['after-send-before-receipt:1', 2],
  ['mid-run:2', 2],
  ['after-run-before-ledger:1', 2],
  ['after-ledger-before-send:1', 1],
  ['after-send-before-receipt:2', 1],
  ['after-receipt-before-release:1', 1],
  ['after-release-before-ack:1', 1],
] as const;

const leaseMs = 1_000;

// One product for each class of channel, side by side, killed and started again for each point: most of the time goes into the starts.
let stages: Stage[];
let conversations = 0;

beforeAll(async () => {
  stages = await Promise.all(
    chaosChannels.map((channel) =>
      Stage.open({
        seed: channel,
        tenants: 1,
        channels: [channel],
        withCrashPoints: true,
        // Slack tries three times: the last one, nine seconds later, has to find a product that started meanwhile.
        retryScale: 0.03,
        environment: { ROCKPOOL_LEASE_MS: String(leaseMs) },
      }),
    ),
  );
});
afterAll(() => Promise.all(stages.map((stage) => stage.close())));

/** Does the same on every channel at once, each with a conversation of its own. */
async function onEveryChannel(what: (stage: Stage, say: () => Sent) => Promise<void>): Promise<void> {
  const n = conversations++;
  await Promise.all(
    stages.map((stage, index) => {
      const talk = stage.talk(chaosChannels[index]!, 0, n);
      return atRest(stage).then(() => what(stage, () => talk.say(stage.ledger)));
    }),
  );
}

/** Resolves when no turn is open: an answer is seen a moment before the product has done with it, and would pass points that are armed by then. */
async function atRest(stage: Stage): Promise<void> {
  const open = async (state: string) =>
    (await askControlPlane<{ items: unknown[] }>(stage.product.process.dataDir, `inbox?state=${state}&limit=1`)).items.length > 0;
  while ((await open('pending')) || (await open('running')) || (await open('answered')));
}

function runsOf(stage: Stage, { text }: Sent): number {
  const token = text.split(' ').at(-1)!;
  return stage.model.count((request) => request.lastUserText.includes(token));
}

/** What a person reads: a reply webhook carries it in JSON, and a second time as Markdown. */
function readable(text: string): string {
  return text.startsWith('{') ? (JSON.parse(text) as { data: { text: string } }).data.text : text;
}

describe('a process that dies on the way of a message', () => {
  it.each(points)('at %s has lost nothing and repeats nothing', (point, mostRuns) =>
    onEveryChannel(async (stage, say) => {
      await stage.product.arm(point);
      const first = say();
      expect(await stage.product.process.exited).toEqual({ code: null, signal: 'SIGKILL' });
      await stage.product.arm('');
      await stage.product.process.start();
      const second = say();
      expect([await first.accepted, await second.accepted]).toEqual([true, true]);
      await stage.untilAnswered();
      await first.redeliver(2, true);
      // Behind the repeated ones in the same conversation: when it is answered, they have been dealt with.
      await say().accepted;
      await stage.untilAnswered();
      expect(runsOf(stage, first)).toBeLessThanOrEqual(mostRuns);
      expect(runsOf(stage, second)).toBe(1);
    }),
  );

  it.each(['after-send-before-receipt:2', 'after-send-before-receipt:3'])(
    'at %s, among the messages of a long answer, has shown every word once',
    (point) =>
      onEveryChannel(async (stage, say) => {
        const words = Array.from({ length: 1_500 }, (_, n) => `w${n}`);
        stage.model
          .when(() => true)
          .reply({ text: ({ lastUserText }) => `${lastUserText} ${words.join(' ')}` })
          .times(1);
        // Where there is a native key, one message has all of it.
        await stage.product.arm(stage === stages.at(-1) ? 'after-send-before-receipt:2' : point);
        const long = say();
        expect(await stage.product.process.exited).toEqual({ code: null, signal: 'SIGKILL' });
        await stage.product.arm('');
        await stage.product.process.start();
        expect(await long.accepted).toBe(true);
        await say().accepted;
        await stage.untilAnswered();
        const shownWords = (): string[] => {
          const shown = stage.shown().filter(({ conversation }) => conversation === long.conversation);
          const text = shown.map((message) => readable(message.text)).join(' ');
          return text.match(/\bw\d+\b/g) ?? [];
        };
        // Its token is in the first of its messages.
        await eventually('the last word is shown', () => shownWords().includes(words.at(-1)!));
        expect(shownWords()).toEqual(words);
      }),
  );

  it('while it drains, told to stop, has lost nothing and repeats nothing', () =>
    onEveryChannel(async (stage, say) => {
      await stage.product.arm('during-drain:1');
      const asked = stage.model.requests.length;
      stage.model
        .when(() => stage.model.requests.length === asked + 1)
        .reply({ fail: 'hang' })
        .times(1);
      const first = say();
      await stage.untilAsked(asked + 1);
      expect(await stage.product.process.kill('SIGTERM')).toEqual({ code: null, signal: 'SIGKILL' });
      await stage.product.arm('');
      await stage.product.process.start();
      expect(await first.accepted).toBe(true);
      await stage.untilAnswered();
      expect(runsOf(stage, first)).toBe(2);
    }));
});

describe('a process that is frozen for longer than its lease', () => {
  it('goes on where it was, and answers once', () =>
    onEveryChannel(async (stage, say) => {
      const asked = stage.model.requests.length;
      const first = say();
      await stage.untilAsked(asked + 1);
      stage.product.process.signal('SIGSTOP');
      const second = say();
      await new Promise((resolve) => setTimeout(resolve, 2 * leaseMs)); // the lease is a matter of real time
      stage.product.process.signal('SIGCONT');
      expect([await first.accepted, await second.accepted]).toEqual([true, true]);
      await stage.untilAnswered();
      expect([runsOf(stage, first), runsOf(stage, second)]).toEqual([1, 1]);
    }));
});

describe('in the end', () => {
  it('everything is answered once, in order and in its place, and nothing waits', async () => {
    for (const stage of stages) {
      expect(stage.ledger.check(stage.shown(), ({ text }) => /^w\d+ /.test(text))).toMatchObject({
        lost: [],
        duplicated: [],
        outOfOrder: [],
        misdirected: [],
        orphans: [],
      });
      const { items } = JSON.parse(await stage.product.rockpool('inbox', '--json')) as { items: { state: string }[] };
      expect(new Set(items.map(({ state }) => state))).toEqual(new Set(['done']));
    }
  });
});
