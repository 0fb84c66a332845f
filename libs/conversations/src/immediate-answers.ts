import { isTerminal } from '@rockpool/contracts';
import type { Documents, Transaction } from '@rockpool/cloud';
import type { TurnRecord } from './records.js';
import { Reply } from './reply.js';
import type { ReplyChannels } from './reply-channel.js';

/** What the platform itself says at once, beside the queue, through the reply ledger. */
export class ImmediateAnswers {
  constructor(
    private readonly documents: Documents,
    private readonly channels: ReplyChannels,
  ) {}

  /** Says it once: a second delivery of the event finishes what the first began. Rejects when the channel may take it later. */
  async say(turn: TurnRecord, markdown: string): Promise<void> {
    const channel = await this.channels.for(turn.tenantId, turn.message.target);
    const write = (put: (transaction: Transaction) => void) => this.documents.transaction(async (transaction) => put(transaction));
    // One try: the delivery that brought the event is repeated when it fails, and holds back only this conversation.
    const reply = await Reply.open(this.documents, turn, channel, write, 1);
    if (!reply.recorded) await write(reply.record(markdown));
    try {
      await write(await reply.deliver());
    } catch (error) {
      if (!isTerminal(error)) throw error;
      await write(reply.fail(`undeliverable: ${(error as Error).message}`));
    }
  }
}
