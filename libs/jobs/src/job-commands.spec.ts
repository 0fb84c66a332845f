import { alice, JobBench, minute, ScriptedKind, sequence, work } from './testing/job-bench.js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TerminalError, type ConversationId } from '@rockpool/contracts';
import { JobCommands, type JobCommandName } from './job-commands.js';

const here = 'web:alice:1' as ConversationId;
const elsewhere = 'web:alice:2' as ConversationId;

let bench: JobBench;
let commands: JobCommands;
beforeEach(async () => {
  const waits = new ScriptedKind('waits', ({ steps }) =>
    steps.length ? { do: 'succeed', result: null } : { do: 'ask', question: 'Which *one*?' },
  );
  const fails = new ScriptedKind(
    'fails',
    ({ steps }) => (steps.length ? { do: 'fail', reason: 'no luck' } : { do: 'act', action: 'it', input: null }),
    { it: { repeat: 'safe', run: () => Promise.reject(new TerminalError('it broke')) } },
  );
  bench = await JobBench.open({ kinds: [waits, fails, sequence('quick', ['it'], { it: work(() => bench, 0) })] });
  commands = new JobCommands(bench.jobs, bench.engine.clock);
});
afterEach(() => bench.close());

const say = (name: JobCommandName, words = '', conversationId = here) => commands.answer(alice, conversationId, { name, words });

describe('/jobs', () => {
  it('lists those of the conversation, open ones first', async () => {
    expect(await say('jobs')).toBe('There are no jobs.');
    await bench.begin({ kind: 'waits', title: 'paint the *reef*', conversationId: here }, 'a');
    await bench.begin({ kind: 'quick', conversationId: here }, 'b');
    await bench.begin({ kind: 'quick', conversationId: elsewhere }, 'c');
    await bench.engine.until('a to wait', async () => (await bench.job('a')).state === 'waiting', 0);
    await bench.engine.until('b to end', async () => !(await bench.job('b')).open, 0);
    expect(await say('jobs')).toBe('- **Job 1** paint the reef: waiting, since 0 s\n- **Job 2** quick: succeeded, after 0 s');
  });
});

describe('/job', () => {
  it('shows what a job did and asks', async () => {
    await bench.begin({ kind: 'waits', conversationId: here });
    await bench.engine.until('it to wait', async () => (await bench.job()).state === 'waiting', 0);
    bench.engine.clock.advance(5 * minute);
    expect(await say('job', '1')).toBe('**Job 1** waits: waiting, since 5 min\nIt asks: Which one?\n- 1. question: waiting');
  });

  it('shows why one failed', async () => {
    await bench.begin({ kind: 'fails', conversationId: here });
    await bench.ended();
    expect(await say('job', '#1')).toMatch(/^\*\*Job 1\*\* fails: failed, after \d+ s\nReason: no luck\n- 1\. it: failed \(it broke\)$/);
  });

  it('knows no job of another conversation, and says what it wants', async () => {
    await bench.begin({ kind: 'waits', conversationId: elsewhere });
    expect(await say('job', '1')).toBe('There is no job 1 here. /jobs lists them.');
    expect(await say('cancel', '1')).toBe('There is no job 1 here. /jobs lists them.');
    expect(await say('job')).toBe('Say which one: /job 12. /jobs lists them.');
    expect(await bench.job()).toMatchObject({ open: true });
  });
});

describe('/cancel', () => {
  it('ends the job, says so once, and says the same when it comes again', async () => {
    await bench.begin({ kind: 'waits', conversationId: here });
    expect(await say('cancel', '1')).toBe('🛑 Job 1 is cancelled.');
    expect(await say('cancel', 'job 1')).toBe('🛑 Job 1 is cancelled.');
    expect(await bench.job()).toMatchObject({ state: 'cancelled' });
    expect([...bench.outcomes.heard.keys()].filter((id) => id.includes('ended'))).toEqual([]);
  });

  it('comes too late for one that is over', async () => {
    await bench.begin({ kind: 'quick', conversationId: here });
    await bench.ended();
    expect(await say('cancel', '1')).toBe('Job 1 was over already: it succeeded.');
  });
});
