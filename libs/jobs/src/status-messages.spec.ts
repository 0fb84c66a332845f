import { alice, JobBench, ScriptedKind, sequence, work } from './testing/job-bench.js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { OutcomeUnknown, type ConversationId, type EventId, type JobId } from '@rockpool/contracts';
import { paths, type ReplyRecord, type TurnRecord } from '@rockpool/conversations';
import { OneChannel, RecordingChannel } from '@rockpool/conversations/testing';
import { jobPaths, type JobRecord } from './job-records.js';
import { StatusMessages } from './status-messages.js';

const chat = 'telegram:1:2' as ConversationId;
const turnId = 'telegram:1:3' as EventId;
const jobId = turnId as string as JobId;

/** Shows whole messages. */
class WideChannel extends RecordingChannel {
  override render(markdown: string) {
    return [{ text: markdown, payload: markdown }];
  }
}
class FixedChannel extends WideChannel {
  override readonly edits = false;
}

let bench: JobBench;
let channel: RecordingChannel;
let status: StatusMessages;
beforeEach(async () => {
  const waits = new ScriptedKind('waits', () => ({ do: 'ask', question: 'Which one?' }));
  bench = await JobBench.open({ kinds: [sequence('quick', ['it'], { it: work(() => bench, 0) }), waits] });
  useChannel(new WideChannel());
});
afterEach(() => bench.close());

function useChannel(one: RecordingChannel): void {
  channel = one;
  channel.messages.set('m1', 'Still working');
  status = new StatusMessages(bench.engine.documents, new OneChannel(channel), bench.engine.clock);
}

/** A turn that became the job, with its answer at the channel or still on its way. */
async function turn(open: boolean): Promise<void> {
  const { documents } = bench.engine;
  const target = { channel: 'telegram', account: '1', chatId: '2', shared: false };
  const record = { tenantId: alice, eventId: turnId, conversationId: chat, open, message: { target } } as unknown as TurnRecord;
  await documents.set(paths.turn(alice, turnId), record);
  const row: Partial<ReplyRecord> = { n: 0, state: open ? 'placed' : 'sent', receipt: 'm1' };
  await documents.set(paths.reply(alice, turnId, 0), row);
}
const put = (change: Partial<JobRecord>) => amend((job) => ({ ...job, ...change }));
async function amend(change: (job: JobRecord) => JobRecord): Promise<void> {
  const path = jobPaths.job(alice, jobId);
  await bench.engine.documents.set(path, change((await bench.engine.documents.get<JobRecord>(path))!.data));
}
const start = (kind: string) => bench.jobs.start(alice, { jobId, kind, title: 'count the *fish*', input: null, conversationId: chat });
const show = () => status.show(alice, jobId);
const shown = () => channel.messages.get('m1');

describe('the message that a turn became a job with', () => {
  it('says how far the job is, as often as it is asked, after what was said before', async () => {
    await start('waits');
    await bench.engine.until('it to wait', async () => (await bench.job(jobId)).state === 'waiting', 0);
    await turn(false);
    await put({
      waiting: { for: 'time', until: 0 },
      progress: { text: 'half\n of the pond', fraction: 0.5, at: 0 },
      preface: 'Let me count.',
    });
    await show();
    expect(shown()).toMatch(
      /^Let me count\.\n\n⏳ Still working: \*\*job 1\*\*, count the fish: 50 %, half of the pond \(\d+ s\)\. `\/job 1` shows more, `\/cancel 1` ends it\.$/,
    );
  });

  it.each([
    ['succeeded', '✅ Done: **job 1**, count the fish, after'],
    ['failed', '⚠️ Failed: **job 1**, count the fish, after'],
    ['cancelled', '🛑 Cancelled: **job 1**, count the fish, after'],
  ] as const)('says that a job has %s', async (state, text) => {
    await start('quick');
    await bench.ended(jobId);
    await turn(false);
    await put({ state });
    await show();
    expect(shown()).toContain(text);
  });

  it('says that an answer is waited for', async () => {
    await start('waits');
    await bench.engine.until('it to wait', async () => (await bench.job(jobId)).state === 'waiting', 0);
    await turn(false);
    await show();
    expect(shown()).toBe('❓ Waiting for an answer: **job 1**, count the fish.');
  });

  it('is not touched before the turn’s own answer is out', async () => {
    await start('quick');
    await turn(true);
    await show();
    expect(shown()).toBe('Still working');
    await turn(false);
    await show();
    expect(shown()).toMatch(/^⏳ Still working: |^✅ Done: /);
  });

  it('says in the end what is on record in the end, also when an older edit comes after the last', async () => {
    await start('waits');
    await bench.engine.until('it to wait', async () => (await bench.job(jobId)).state === 'waiting', 0);
    await turn(false);
    await put({ waiting: { for: 'time', until: 0 } });
    // While this edit is on its way the job is cancelled, and whoever cancels says so.
    channel.before = async () => {
      channel.before = () => undefined;
      await bench.jobs.cancel(alice, jobId, 'enough', { quiet: true });
      await show();
    };
    await show();
    expect(shown()).toMatch(/^🛑 Cancelled/);
  });

  it('stays as it is where messages cannot be changed, and there is none of a job that no turn became', async () => {
    useChannel(new FixedChannel());
    await start('quick');
    await turn(false);
    await show();
    expect(shown()).toBe('Still working');
    useChannel(new WideChannel());
    await bench.engine.documents.delete(paths.turn(alice, turnId));
    await show();
    expect(shown()).toBe('Still working');
  });

  describe('whose last edit the channel does not answer', () => {
    let asked: number;
    /** The channel does not answer the first so many edits. */
    const failing = (times: number) => {
      asked = 0;
      channel.before = () => {
        if (++asked <= times) throw new OutcomeUnknown('no answer came');
      };
    };
    beforeEach(async () => {
      await start('quick');
      await bench.ended(jobId);
      await turn(false);
    });

    it('is edited again', async () => {
      failing(2);
      let isShown = false;
      void show().then(() => (isShown = true));
      await bench.engine.until('the last word', () => isShown, 200);
      expect(shown()).toMatch(/^✅ Done: /);
      expect(asked).toBe(3);
    });

    it('keeps nobody waiting for longer than that, and is made all the same', async () => {
      const gate = Promise.withResolvers<void>();
      channel.before = () => gate.promise;
      let isOver = false;
      void status.showWithin(3_000, alice, jobId, () => undefined).then(() => (isOver = true));
      await bench.engine.until('patience to end', () => isOver, 500);
      expect(shown()).toBe('Still working');
      gate.resolve();
      await channel.until((visible) => visible.some((text) => text.startsWith('✅ Done: ')));
    });

    it('is given up after four tries', async () => {
      failing(Infinity);
      let refused: unknown;
      void show().catch((error: unknown) => (refused = error));
      await bench.engine.until('the channel to be given up', () => refused !== undefined, 200);
      expect(asked).toBe(4);
    });
  });
});
