import { isTerminal, type InboundMessage } from '@rockpool/contracts';
import type { Documents, Transaction } from '@rockpool/cloud';
import type { Tenant } from '@rockpool/tenancy';
import type { CommandEffect, Inbox } from './inbox.js';
import { paths, type ConversationRecord, type SignalRecord, type TurnRecord } from './records.js';
import { Reply } from './reply.js';
import type { ReplyChannels } from './reply-channel.js';
import { currentTraceparent, inSpan } from './spans.js';

/** What a person may ask of the platform itself, also while a turn runs. `/start` is what Telegram sends when a person opens a bot. */
const commandNames = ['stop', 'status', 'new', 'help', 'start'] as const;
export type CommandName = (typeof commandNames)[number];

/** A signal is read within moments or never: the run it is for has ended by then. */
const signalKeptMs = 3_600_000;

/** The command a message is, if it is one: `/stop`, `/stop@some_bot`, and `!stop` for channels that keep `/` to themselves. */
export function commandOf(text: string): CommandName | undefined {
  const name = /^[/!]([a-z]+)(?:@\w+)?(?:\s|$)/i.exec(text.trim())?.[1]?.toLowerCase();
  return commandNames.find((known) => known === name);
}

/** Acts on commands at once, beside the queue: once for each event, with an answer through the reply ledger. */
export class Commands {
  constructor(
    private readonly documents: Documents,
    private readonly inbox: Inbox,
    private readonly channels: ReplyChannels,
    private readonly now: () => number = Date.now,
  ) {}

  /** Does what the command says and answers. A second delivery repeats neither; one after a crash finishes what was begun. */
  async run(tenant: Tenant, message: InboundMessage, name: CommandName): Promise<void> {
    await inSpan(
      'command',
      { 'rockpool.tenant.id': tenant.id, 'rockpool.event.id': message.eventId, 'rockpool.command': name },
      async () => {
        const effect = this.effect(name, tenant, message);
        const turn = await this.inbox.command(tenant.id, message, name, effect, currentTraceparent());
        const channel = await this.channels.for(tenant.id, message.target);
        const write = (put: (transaction: Transaction) => void) => this.documents.transaction(async (transaction) => put(transaction));
        // One try: the delivery that brought the command is repeated when it fails, and holds back only this conversation.
        const reply = await Reply.open(this.documents, turn, channel, write, 1);
        if (!reply.recorded && turn.command) await write(reply.record(turn.command.answer));
        try {
          await write(await reply.deliver());
        } catch (error) {
          if (!isTerminal(error)) throw error;
          await write(reply.fail(`undeliverable: ${(error as Error).message}`));
        }
      },
    );
  }

  private effect(name: CommandName, tenant: Tenant, message: InboundMessage) {
    return (transaction: Transaction, conversation: ConversationRecord, open: readonly TurnRecord[]): CommandEffect => {
      const assistant = tenant.spec.displayName ?? tenant.id;
      switch (name) {
        case 'stop':
          this.stop(transaction, conversation, message, open);
          return { conversation, answer: stopAnswer(open.length) };
        case 'new':
          return {
            conversation: { ...conversation, session: conversation.session + 1, summary: undefined, summaryThrough: undefined },
            answer: '🆕 A new conversation begins. I no longer see what was said before.',
          };
        case 'status':
          return { conversation, answer: this.status(assistant, tenant, open) };
        case 'help':
        case 'start':
          return { conversation, answer: helpAnswer(assistant) };
      }
    };
  }

  private stop(transaction: Transaction, conversation: ConversationRecord, message: InboundMessage, open: readonly TurnRecord[]): void {
    const signal: SignalRecord = { kind: 'stop', throughSeq: conversation.lastSeq };
    const path = `${paths.signals(conversation.tenantId, conversation.conversationId)}/${message.eventId}`;
    transaction.set(path, signal, { expireAt: new Date(this.now() + signalKeptMs) });
    // What has not begun never will; what runs sees the signal.
    for (const turn of open.filter((waiting) => waiting.state === 'pending')) {
      const cancelled: TurnRecord = { ...turn, state: 'cancelled', open: false, reason: 'stopped', finishedAt: this.now() };
      transaction.set(paths.turn(turn.tenantId, turn.eventId), cancelled);
    }
  }

  private status(assistant: string, tenant: Tenant, open: readonly TurnRecord[]): string {
    const running = open.find((turn) => turn.state !== 'pending');
    const waiting = open.length - (running ? 1 : 0);
    const doing = running ? `working for ${Math.max(0, Math.round((this.now() - running.receivedAt) / 1000))} s` : 'idle';
    return [
      `**${assistant}** is ${doing}.`,
      '',
      `- Waiting: ${waiting}`,
      `- Model: ${tenant.spec.agent.model}`,
      `- Plan: ${tenant.spec.plan}`,
    ].join('\n');
  }
}

function stopAnswer(open: number): string {
  if (open === 0) return 'Nothing is running.';
  return `⏹ Stopped${open > 1 ? `, with ${open - 1} more waiting` : ''}.`;
}

function helpAnswer(assistant: string): string {
  return `Hello, this is **${assistant}**. Write to me and I answer.

- \`/stop\` ends what I am doing
- \`/status\` shows what I am doing
- \`/new\` begins a new conversation
- \`/help\` shows this`;
}
