import { alice, JobBench, sequence, work } from './testing/job-bench.js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { OneChannel, RecordingChannel } from '@rockpool/conversations/testing';
import { Inbox, Wakes, type TurnRecord } from '@rockpool/conversations';
import type { ConversationId, EventId, InboundMessage, JobId, ScheduleId, TenantId } from '@rockpool/contracts';
import { ConversationInbox } from './conversation-inbox.js';
import { InboxJobOutcomes } from './inbox-job-outcomes.js';
import { InboxSchedulePrompts } from './inbox-schedule-prompts.js';
import type { JobRecord } from './job-records.js';
import { StatusMessages } from './status-messages.js';

const conversation = 'web:alice:1' as ConversationId;

class NotedWakes extends Wakes {
  readonly woken: string[] = [];
  async wake(_tenantId: TenantId, conversationId: ConversationId): Promise<void> {
    this.woken.push(conversationId);
  }
}

let bench: JobBench;
let inbox: Inbox;
let wakes: NotedWakes;
let into: ConversationInbox;
let status: StatusMessages;
const fail = (message: string, error: unknown) => {
  throw new Error(message, { cause: error });
};
beforeEach(async () => {
  bench = await JobBench.open({ kinds: [sequence('quick', ['it'], { it: work(() => bench, 0) })] });
  inbox = new Inbox(bench.engine.documents, bench.engine.clock.now);
  wakes = new NotedWakes();
  status = new StatusMessages(bench.engine.documents, new OneChannel(new RecordingChannel()), bench.engine.clock);
  into = new ConversationInbox(bench.engine.documents, inbox, wakes, bench.engine.clock);
});
afterEach(() => bench.close());

const says = (n: number): InboundMessage => ({
  eventId: `web:alice:1:${n}` as EventId,
  conversationId: conversation,
  kind: 'message',
  providerType: 'message',
  target: { channel: 'web', account: 'alice', chatId: '1', messageId: `${n}`, shared: false },
  chatKind: 'direct',
  sender: { id: 'visitor', isBot: false },
  text: `message ${n}`,
  attachments: [],
  addressed: true,
  sentAt: '2030-03-01T12:00:00Z',
  receivedAt: '2030-03-01T12:00:00Z',
});

const texts = async () => (await inbox.open(alice, conversation)).map(({ message }: TurnRecord) => message.text);

async function ended(result: JobRecord['result'], more: Partial<JobRecord> = {}): Promise<JobRecord> {
  await bench.begin({ kind: 'quick', conversationId: conversation });
  return { ...(await bench.ended()), title: 'count the fish', result, ...more };
}

describe('the end of a job', () => {
  it('is a message of its conversation, once, in order with those of people', async () => {
    const outcomes = new InboxJobOutcomes(into, status, fail);
    await inbox.append(alice, says(1));
    const job = await ended('12 fish');
    await Promise.all([outcomes.ended(job), outcomes.ended(job), outcomes.ended(job)]);
    await inbox.append(alice, says(2));
    await outcomes.ended(job);
    expect(await texts()).toEqual(['message 1', '**Job 1** (count the fish) is done.\n\n12 fish', 'message 2']);
    const [, turn] = await inbox.open(alice, conversation);
    expect(turn).toMatchObject({ eventId: 'job:j1:ended:0', message: { providerType: 'rockpool.job-ended', sender: { id: 'rockpool' } } });
    expect(turn!.message.target.messageId).toBeUndefined();
    expect(wakes.woken.length).toBeGreaterThan(0);
  });

  it('is said with its reason when it failed, and as JSON when it is no text', async () => {
    const outcomes = new InboxJobOutcomes(into, status, fail);
    await inbox.append(alice, says(1));
    const job = await ended({ fish: 12 });
    await outcomes.ended(job);
    await outcomes.ended({ ...job, retries: 1, state: 'failed', reason: 'the pond is dry' });
    await outcomes.asks({ ...job, waiting: { for: 'message', question: 'Which pond?' } });
    expect((await texts()).slice(1)).toEqual([
      '**Job 1** (count the fish) is done.\n\n{\n  "fish": 12\n}',
      '⚠️ **Job 1** (count the fish) has failed: the pond is dry',
      '❓ **Job 1** (count the fish) asks:\n\nWhich pond?\n\nAnswer with `/job 1 …`, or tell me.',
    ]);
  });

  it('is nobody to be told of where there is no conversation, and for good where it is gone', async () => {
    const outcomes = new InboxJobOutcomes(into, status, fail);
    const { conversationId: _, ...alone } = await ended('12 fish');
    await outcomes.ended({ ...alone, jobId: 'j9' as JobId });
    await expect(outcomes.ended(await bench.job())).rejects.toThrow('there is no conversation');
    expect(await texts()).toEqual([]);
  });
});

describe('a prompt of a schedule', () => {
  const occurrence = {
    tenantId: alice,
    scheduleId: 's1' as ScheduleId,
    eventId: 'schedule:s1:2030-03-01T09%3A00%3A00.000Z' as EventId,
    plannedAt: Date.parse('2030-03-01T09:00:00Z'),
    createdBy: 'test',
    late: false,
  };

  it('is a message once, also where nobody has written yet', async () => {
    const prompts = new InboxSchedulePrompts(into);
    const effect = { kind: 'prompt', conversationId: conversation, text: 'Water the plants', target: says(1).target } as const;
    await prompts.put(occurrence, effect);
    await prompts.put(occurrence, effect);
    expect(await texts()).toEqual(['Water the plants']);
  });

  it('that is a heartbeat is left out while something waits for an answer', async () => {
    await inbox.append(alice, says(1));
    await new InboxSchedulePrompts(into).put(occurrence, { kind: 'heartbeat', conversationId: conversation, text: 'Anything new?' });
    expect(await texts()).toEqual(['message 1']);
  });

  it('says that it is late, and heartbeats are marked', async () => {
    const prompts = new InboxSchedulePrompts(into);
    const { target } = says(1);
    await prompts.put({ ...occurrence, late: true }, { kind: 'heartbeat', conversationId: conversation, text: 'Anything new?', target });
    const [turn] = await inbox.open(alice, conversation);
    expect(turn!.message).toMatchObject({
      providerType: 'rockpool.heartbeat',
      text: 'Anything new?\n\n[This was planned for 2030-03-01T09:00:00.000Z and comes late.]',
    });
  });
});
