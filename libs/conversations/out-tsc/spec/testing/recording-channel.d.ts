import { type ReplyTarget, type TenantId } from '@rockpool/contracts';
import { ReplyChannel, ReplyChannels, type DeliveryGuarantee, type Receipt, type ReplyChunk } from '../reply-channel.js';
/** A channel in memory that shows what a person would see, and fails on demand. Chunks are cut at 40 characters. */
export declare class RecordingChannel extends ReplyChannel {
  readonly guarantee: DeliveryGuarantee;
  readonly updateIntervalMs = 5;
  /** Messages by receipt, in the order they appeared. */
  readonly messages: Map<string, string>;
  readonly typed: ReplyTarget[];
  /** Called before each effect; what it throws is what the channel answers. */
  before: (call: 'place' | 'update', text: string) => void | Promise<void>;
  /** Called after each effect: throwing here is "accepted, and the answer was lost". */
  after: (call: 'place' | 'update', text: string) => void | Promise<void>;
  private readonly keys;
  private changed;
  constructor(guarantee?: DeliveryGuarantee);
  render(markdown: string): ReplyChunk[];
  place(_target: ReplyTarget, key: string): Promise<Receipt>;
  update(_target: ReplyTarget, receipt: Receipt, chunk: ReplyChunk): Promise<void>;
  typing(target: ReplyTarget): Promise<void>;
  /** What a person sees, without placeholders. */
  get visible(): string[];
  /** Resolves once the person sees what the predicate asks for. */
  until(predicate: (visible: string[]) => boolean): Promise<void>;
  private show;
}
/** The same channel for every target. */
export declare class OneChannel extends ReplyChannels {
  private readonly channel;
  constructor(channel: ReplyChannel);
  for(_tenantId: TenantId, _target: ReplyTarget): Promise<ReplyChannel>;
}
//# sourceMappingURL=recording-channel.d.ts.map
