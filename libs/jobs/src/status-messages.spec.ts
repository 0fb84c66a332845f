import { alice, JobBench, sequence, work } from './testing/job-bench.js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { OneChannel, RecordingChannel } from '@rockpool/conversations/testing';
import { paths } from '@rockpool/conversations';
import { OutcomeUnknown, type EventId } from '@rockpool/contracts';
import { StatusMessages } from './status-messages.js';

let bench: JobBench;
let channel: RecordingChannel;
let status: StatusMessages;
const asked: string[] = [];
beforeEach(async () => {
  bench = await JobBench.open({ kinds: [sequence('quick', ['it'], { it: work(() => bench, 0) })] });
  channel = new RecordingChannel();
  status = new StatusMessages(bench.engine.documents, new OneChannel(channel), bench.engine.clock);
  // The turn that became the job, and its answer: the message that is edited.
  const target = { channel: 'telegram', account: '1', chatId: '2' };
  const receipt = await channel.place({ ...target, shared: false } as never, 'k');
  const turnId = 'j1' as EventId;
  await bench.engine.documents.set(paths.turn(alice, turnId), { open: false, message: { target } });
  await bench.engine.documents.set(paths.reply(alice, turnId, 0), { state: 'sent', receipt });
  asked.length = 0;
});
afterEach(() => bench.close());

/** The channel does not answer the first so many edits. */
function failing(times: number): void {
  channel.before = (_call, text) => {
    asked.push(text);
    if (asked.length <= times) throw new OutcomeUnknown('no answer came');
  };
}

describe('the status message of a job', () => {
  it('says how it ended also when the channel has to be asked again', async () => {
    await bench.begin({ kind: 'quick' });
    const job = await bench.ended();
    failing(2);
    let shown: boolean | undefined;
    void status.show(alice, job.jobId).then((done) => (shown = done));
    await bench.engine.until('the last word', () => shown !== undefined, 200);
    expect(shown).toBe(true);
    expect(channel.visible[0]).toMatch(/^✅ Done: /);
    expect(asked).toHaveLength(3);
  });

  it('is given up after four tries', async () => {
    await bench.begin({ kind: 'quick' });
    const job = await bench.ended();
    failing(Infinity);
    let refused: unknown;
    void status.show(alice, job.jobId).catch((error: unknown) => (refused = error));
    await bench.engine.until('the channel to be given up', () => refused !== undefined, 200);
    expect(asked).toHaveLength(4);
  });
});
