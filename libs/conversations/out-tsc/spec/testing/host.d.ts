import type { Documents } from '@rockpool/cloud';
import { ConversationLeases, type LeaseOptions } from '../conversation-leases.js';
import { Inbox } from '../inbox.js';
import { type TurnRecord } from '../records.js';
import type { DeliveryGuarantee } from '../reply-channel.js';
import { type DriveResult } from '../turn-runner.js';
import { RecordingChannel } from './recording-channel.js';
import { ScriptedRuntime } from './scripted-runtime.js';
interface HostOptions extends Partial<LeaseOptions> {
  readonly turnTimeoutMs?: number;
  readonly guarantee?: DeliveryGuarantee;
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
  amend(n: number, change: (turn: TurnRecord) => TurnRecord): Promise<void>;
  /** Makes the current lease look as if it had run out. */
  takeLeaseAway(): Promise<void>;
  /** A second host on the same documents and channel, with an agent of its own. */
  another(options?: HostOptions): Promise<TestHost>;
  close(): Promise<void>;
}
export declare function openHost(options?: HostOptions): Promise<TestHost>;
export {};
//# sourceMappingURL=host.d.ts.map
