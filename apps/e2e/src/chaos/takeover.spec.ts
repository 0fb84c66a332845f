import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, type RunningProcess } from '@rockpool/testkit';
import { onGoogle } from '../engines.js';
import { chaosChannels } from './options.js';
import { Stage } from './stage.js';
import type { Sent, Talk } from './talks.js';

const leaseMs = 3_000;

onGoogle('two processes of each app on the Google engine', 'pull-strict', takeovers);

function takeovers(): void {
  let stage: Stage;
  let conversations = 0;
  beforeAll(async () => {
    stage = await Stage.open({
      engine: 'google',
      seed: 'takeover',
      tenants: 1,
      channels: chaosChannels,
      withCrashPoints: true,
      retryScale: 0.01,
      environment: { ROCKPOOL_LEASE_MS: String(leaseMs) },
    });
  });
  afterAll(() => stage?.close());

  /** Another conversation, on the next channel each time unless one is named. Never one of Slack's channels, where each message begins a thread of its own. */
  const nextTalk = (channel = chaosChannels[conversations % chaosChannels.length]!): Talk => stage.talk(channel, 0, 4 * conversations++);
  const runsOf = ({ text }: Sent) => stage.model.count(({ lastUserText }) => lastUserText.includes(text.split(' ').at(-1)!));

  /** Kills the process that passes the point first. Resolves with it; everybody else lives on. */
  async function killedAt(point: string, app: 'agent-host' | 'dispatcher', say: () => void): Promise<RunningProcess> {
    const ended = stage.product.copiesOf(app).map((copy) => copy.exited.then(() => copy));
    await stage.product.arm(point);
    say();
    return Promise.race(ended);
  }

  describe('an agent host that is killed', () => {
    // The marks of the host, and how often the model may be asked for the message in all.
    it.each([
      ['after-lease:1', 1],
      ['mid-run:2', 2],
      ['after-run-before-ledger:1', 2],
      ['after-ledger-before-send:1', 1],
      ['after-send-before-receipt:2', 1],
      ['after-receipt-before-release:1', 1],
    ] as const)('at %s leaves its conversation to the other, which answers once', async (point, mostRuns) => {
      const talk = nextTalk();
      let first!: Sent;
      const dead = await killedAt(point, 'agent-host', () => (first = talk.say(stage.ledger)));
      const second = talk.say(stage.ledger);
      expect([await first.accepted, await second.accepted]).toEqual([true, true]);
      await stage.untilAnswered();
      expect(runsOf(first)).toBeLessThanOrEqual(mostRuns);
      expect(runsOf(second)).toBe(1);
      await dead.start();
    });
  });

  describe('a dispatcher that is killed', () => {
    it.each(['after-receive-before-commit:1', 'after-commit-before-wake:1', 'after-wake-before-ack:1', 'after-release-before-ack:1'])(
      'at %s leaves its message to the other, and nothing runs twice',
      async (point) => {
        const talk = nextTalk();
        let first!: Sent;
        const dead = await killedAt(point, 'dispatcher', () => (first = talk.say(stage.ledger)));
        const second = talk.say(stage.ledger);
        expect([await first.accepted, await second.accepted]).toEqual([true, true]);
        // Pub/Sub gives what the dead one held to the other when its deadline is over, ten seconds later.
        await stage.untilAnswered();
        expect([runsOf(first), runsOf(second)]).toEqual([1, 1]);
        await dead.start();
      },
    );
  });

  describe('an agent host that is frozen until the other has taken over', () => {
    it('says nothing more, writes nothing and asks no model', async () => {
      const [zombie, other] = stage.product.copiesOf('agent-host') as [RunningProcess, RunningProcess];
      await other.kill('SIGTERM');
      const talk = nextTalk('telegram');
      const asked = stage.model.requests.length;
      stage.utterances();
      stage.model
        .when(() => stage.model.requests.length === asked + 1)
        .reply({ text: ({ lastUserText }) => `${lastUserText} ${'and so on '.repeat(300)}`, betweenTokensMs: 20 })
        .times(1);
      const first = talk.say(stage.ledger);
      await stage.untilAsked(asked + 1);
      await eventually('an answer is begun', () => stage.utterances().some(({ text }) => text.includes('and so on')));
      zombie.signal('SIGSTOP');
      stage.product.leaveOut(zombie);
      await other.start();
      await new Promise((resolve) => setTimeout(resolve, 1.5 * leaseMs)); // the lease is a matter of real time
      // Its wake finds the lease to have run out; that of the first message is held by a dispatcher who waits for the frozen one.
      const second = talk.say(stage.ledger);
      expect([await first.accepted, await second.accepted]).toEqual([true, true]);
      await stage.untilAnswered();
      expect([runsOf(first), runsOf(second)]).toEqual([2, 1]);
      const before = stage.shown();
      stage.utterances();
      const lost = () => zombie.lines.filter((line) => line.includes('the lease was lost')).length;
      const lostBefore = lost();
      zombie.signal('SIGCONT');
      await eventually('the lease is lost', () => lost() > lostBefore);
      // Typing is no word.
      expect(stage.utterances().filter(({ text }) => text !== '')).toEqual([]);
      expect(stage.shown()).toEqual(before);
      expect(stage.model.requests).toHaveLength(asked + 3);
    });
  });

  it('in the end everything is answered once, in order and in its place, and nothing waits', async () => {
    expect(stage.ledger.check(stage.shown())).toMatchObject({ lost: [], duplicated: [], outOfOrder: [], misdirected: [], orphans: [] });
    const { items } = JSON.parse(await stage.product.rockpool('inbox', '--json')) as { items: { state: string }[] };
    expect(new Set(items.map(({ state }) => state))).toEqual(new Set(['done']));
  });
}
