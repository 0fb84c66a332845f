import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Documents } from '@rockpool/cloud';
import { Database, SqliteDocuments } from '@rockpool/cloud-embedded';
import { ConversationLeases, type LeaseOptions } from '../conversation-leases.js';
import { Inbox } from '../inbox.js';
import { conversationIndexes, paths, type ConversationRecord, type TurnRecord, type TurnState } from '../records.js';
import type { DeliveryGuarantee } from '../reply-channel.js';
import { Transcript } from '../transcript.js';
import { TurnRunner, type DriveResult } from '../turn-runner.js';
import { alice, chat, messageOf } from './messages.js';
import { OneChannel, RecordingChannel } from './recording-channel.js';
import { ScriptedRuntime } from './scripted-runtime.js';

interface HostOptions extends Partial<LeaseOptions> {
  readonly turnTimeoutMs?: number;
  readonly guarantee?: DeliveryGuarantee;
  /** Where the documents are, when they are to outlive the host. */
  readonly folder?: string;
}

/** An agent host on real documents, with a channel and an agent that do as they are told. */
export interface TestHost {
  readonly documents: Documents;
  readonly inbox: Inbox;
  readonly leases: ConversationLeases;
  readonly channel: RecordingChannel;
  readonly runtime: ScriptedRuntime;
  drive(wakeId?: string, signal?: AbortSignal): Promise<DriveResult>;
  /** Appends these texts, in order, and drives until the inbox is empty. */
  say(...texts: string[]): Promise<void>;
  /** The record of the message with this number. */
  turn(n: number): Promise<TurnRecord>;
  /** The states of these messages. */
  states(...numbers: number[]): Promise<TurnState[]>;
  /** What the agent of this host was asked, run by run. */
  readonly asked: string[];
  /** Turns that the runner said had ended. */
  readonly ended: TurnRecord[];
  amend(n: number, change: (turn: TurnRecord) => TurnRecord): Promise<void>;
  /** Makes the current lease look as if it had run out. */
  takeLeaseAway(): Promise<void>;
  /** A second host on the same documents and channel, with an agent of its own. */
  another(options?: HostOptions): Promise<TestHost>;
  close(): Promise<void>;
}

export async function openHost(options: HostOptions = {}): Promise<TestHost> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'rockpool-conversations-')));
  const database = Database.open(join(folder, 'test.db'), { synchronous: 'OFF' });
  const documents = new SqliteDocuments(database, conversationIndexes);
  const close = async () => {
    documents.close();
    await database.close();
    if (options.folder === undefined) await rm(folder, { recursive: true });
  };
  return hostOn(documents, new RecordingChannel(options.guarantee), { holder: 'host-1', ...options }, close);
}

function hostOn(documents: Documents, channel: RecordingChannel, options: HostOptions, close: () => Promise<void>): TestHost {
  const inbox = new Inbox(documents);
  const { holder = 'host-1', leaseMs = 30_000, mayBeAlive, turnTimeoutMs = 60_000 } = options;
  const leases = new ConversationLeases(documents, { holder, leaseMs, ...(mayBeAlive && { mayBeAlive }) });
  const runtime = new ScriptedRuntime();
  const onWarning = () => undefined;
  const ended: TurnRecord[] = [];
  const runner = new TurnRunner(documents, leases, new Transcript(documents), new OneChannel(channel), runtime, {
    turnTimeoutMs,
    maxAttempts: 5,
    onWarning,
    onEnded: (turn) => ended.push(turn),
  });
  let said = 0;
  const host: TestHost = {
    documents,
    inbox,
    leases,
    channel,
    runtime,
    ended,
    drive: (wakeId = 'wake', signal = new AbortController().signal) => runner.drive(alice, chat, wakeId, signal),
    async say(...texts) {
      for (const text of texts) await inbox.append(alice, messageOf(++said, text));
      await host.drive();
    },
    turn: async (n) => (await inbox.get(alice, messageOf(n, '').eventId)).turn,
    states: async (...numbers) => (await Promise.all(numbers.map(host.turn))).map(({ state }) => state),
    get asked() {
      return runtime.turns.map(({ message }) => message.text);
    },
    async amend(n, change) {
      const path = paths.turn(alice, messageOf(n, '').eventId);
      const turn = await documents.get<TurnRecord>(path);
      await documents.set(path, change(turn!.data));
    },
    async takeLeaseAway() {
      await documents.transaction(async (transaction) => {
        const found = (await transaction.get<ConversationRecord>(paths.conversation(alice, chat)))!;
        transaction.set(found.path, { ...found.data, lease: { ...found.data.lease, expiresAt: 0 } });
      });
    },
    another: async (more = {}) => hostOn(documents, channel, { holder: 'host-2', ...more }, async () => undefined),
    close,
  };
  return host;
}
