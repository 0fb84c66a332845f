import { NotFound, type ReplyTarget, type TenantId } from '@rockpool/contracts';
import {
  ReplyChannel,
  ReplyChannels,
  type DeliveryGuarantee,
  type KnownMessages,
  type Receipt,
  type ReplyChunk,
} from '../reply-channel.js';

/** A channel in memory that shows what a person would see, and fails on demand. Chunks are cut at 40 characters. */
export class RecordingChannel extends ReplyChannel {
  override readonly updateIntervalMs = 5;
  /** Messages by receipt, in the order they appeared. */
  readonly messages = new Map<Receipt, string>();
  readonly typed: ReplyTarget[] = [];
  /** Called before each effect; what it throws is what the channel answers. */
  before: (call: 'place' | 'update', text: string) => void | Promise<void> = () => undefined;
  /** Called after each effect: throwing here is "accepted, and the answer was lost". */
  after: (call: 'place' | 'update', text: string) => void | Promise<void> = () => undefined;
  private placed = 0;
  /** Called before strays are looked for. */
  beforeSweep: () => void = () => undefined;
  private readonly keys = new Map<string, Receipt>();
  private changed = Promise.withResolvers<void>();

  constructor(override readonly guarantee: DeliveryGuarantee = 'edit') {
    super();
  }

  override render(markdown: string): ReplyChunk[] {
    const parts = markdown.match(/[^]{1,40}/g) ?? [];
    return parts.map((text) => ({ text, payload: text }));
  }

  override async place(_target: ReplyTarget, key: string): Promise<Receipt> {
    await this.before('place', '');
    const known = this.guarantee === 'key' ? this.keys.get(key) : undefined;
    const receipt = known ?? `m${++this.placed}`;
    if (!known) this.show(receipt, '…');
    this.keys.set(key, receipt);
    await this.after('place', '');
    return receipt;
  }

  override async update(_target: ReplyTarget, receipt: Receipt, chunk: ReplyChunk): Promise<void> {
    await this.before('update', chunk.text);
    if (!this.messages.has(receipt)) throw new NotFound(`no message ${receipt}`);
    this.show(receipt, chunk.text);
    await this.after('update', chunk.text);
  }

  override async sweep(_target: ReplyTarget, _key: string, receipt: Receipt, known: () => Promise<KnownMessages>): Promise<void> {
    this.beforeSweep();
    const { receipts, isComplete } = await known();
    const strays = [...this.messages].filter(([id, text]) => text === '…' && id !== receipt && !receipts.has(id));
    if (isComplete) for (const [id] of strays) this.messages.delete(id);
  }

  override async typing(target: ReplyTarget): Promise<void> {
    this.typed.push(target);
  }

  /** What a person sees, without placeholders. */
  get visible(): string[] {
    return [...this.messages.values()].filter((text) => text !== '…');
  }

  /** Resolves once the person sees what the predicate asks for. */
  async until(predicate: (visible: string[]) => boolean): Promise<void> {
    while (!predicate(this.visible)) await this.changed.promise;
  }

  private show(receipt: Receipt, text: string): void {
    this.messages.set(receipt, text);
    this.changed.resolve();
    this.changed = Promise.withResolvers<void>();
  }
}

/** The same channel for every target. */
export class OneChannel extends ReplyChannels {
  constructor(private readonly channel: ReplyChannel) {
    super();
  }

  override async for(_tenantId: TenantId, _target: ReplyTarget): Promise<ReplyChannel> {
    return this.channel;
  }
}
