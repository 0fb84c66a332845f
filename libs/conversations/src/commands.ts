import type { InboundMessage } from '@rockpool/contracts';
import type { Transaction } from '@rockpool/cloud';
import { overlapPolicy, type OverlapPolicy, type Tenant } from '@rockpool/tenancy';
import type { ImmediateAnswers } from './immediate-answers.js';
import type { CommandEffect, Inbox } from './inbox.js';
import { paths, signalKeptMs, type ConversationRecord, type SignalRecord, type TurnRecord } from './records.js';
import { currentTraceparent, inSpan, linkToTrace } from './spans.js';

/** What a person may ask of the platform itself, also while a turn runs. `/start` is what Telegram sends when a person opens a bot. */
const commandNames = ['stop', 'status', 'new', 'queue', 'help', 'start'] as const;
export type CommandName = (typeof commandNames)[number];

/** The command a message is, if it is one: `/stop`, `/stop@some_bot`, and `!stop` for channels that keep `/` to themselves. */
export function commandOf(text: string): CommandName | undefined {
  const name = firstWordOf(text);
  return commandNames.find((known) => known === name);
}

function firstWordOf(text: string): string | undefined {
  return /^[/!]([a-z]+)(?:@\w+)?(?:\s|$)/i.exec(text.trim())?.[1]?.toLowerCase();
}

/** Commands that a part above conversations brings along. */
export abstract class MoreCommands {
  /** Each with what it does, for `/help`: `schedules` → `shows what is planned`. */
  abstract readonly names: Readonly<Record<string, string>>;
  /** Does what the command says and resolves with the answer, in Markdown. Called again for the same message after a crash, so it has to bear that. `words`: what follows the name. */
  abstract answer(tenant: Tenant, message: InboundMessage, name: string, words: string): Promise<string>;
}

/** Acts on commands at once, beside the queue: once for each event, with an answer through the reply ledger. */
export class Commands {
  constructor(
    private readonly inbox: Inbox,
    private readonly answers: ImmediateAnswers,
    private readonly now: () => number = Date.now,
    private readonly more?: MoreCommands,
  ) {}

  /** The command a message is, if it is one: those of {@link commandOf}, and those that were brought along. */
  named(text: string): string | undefined {
    const name = firstWordOf(text);
    return commandOf(text) ?? (name !== undefined && Object.hasOwn(this.more?.names ?? {}, name) ? name : undefined);
  }

  /** Does what the command says and answers. A second delivery repeats neither; one after a crash finishes what was begun. */
  async run(tenant: Tenant, message: InboundMessage, name: string): Promise<void> {
    await inSpan(
      'command',
      { 'rockpool.tenant.id': tenant.id, 'rockpool.event.id': message.eventId, 'rockpool.command': name },
      async () => {
        const own = commandNames.find((known) => known === name);
        const effect = own ? this.effect(own, tenant, message) : await this.brought(tenant, message, name);
        const turn = await this.inbox.command(tenant.id, message, name, effect, currentTraceparent());
        linkToTrace(turn.traceparent);
        if (turn.command) await this.answers.say(turn, turn.command.answer);
      },
    );
  }

  /** What others do is done before it is on record; a delivery that finds it there does not do it again. */
  private async brought(tenant: Tenant, message: InboundMessage, name: string) {
    const words = message.text.trim().replace(/^\S+\s*/, '');
    const isNew = (await this.inbox.find(tenant.id, message.eventId)) === undefined;
    const answer = isNew && this.more ? await this.more.answer(tenant, message, name, words) : '';
    return (_: Transaction, conversation: ConversationRecord): CommandEffect => ({ conversation, answer });
  }

  private effect(name: CommandName, tenant: Tenant, message: InboundMessage) {
    return (transaction: Transaction, conversation: ConversationRecord, open: readonly TurnRecord[]): CommandEffect => {
      const assistant = tenant.spec.displayName ?? tenant.id;
      switch (name) {
        case 'stop':
          this.stop(transaction, conversation, open);
          return { conversation, answer: stopAnswer(open) };
        case 'new':
          return {
            conversation: { ...conversation, session: conversation.session + 1, summary: undefined, summaryThrough: undefined },
            answer: '🆕 A new conversation begins. I no longer see what was said before.',
          };
        case 'queue':
          return queue(conversation, tenant.spec.agent.overlap, wordAfterCommand(message.text));
        case 'status':
          return { conversation, answer: this.status(assistant, tenant, conversation, open) };
        case 'help':
        case 'start':
          return { conversation, answer: helpAnswer(assistant, this.more?.names ?? {}) };
      }
    };
  }

  private stop(transaction: Transaction, conversation: ConversationRecord, open: readonly TurnRecord[]): void {
    const signal: SignalRecord = { kind: 'stop', throughSeq: conversation.lastSeq };
    const path = paths.signal(conversation.tenantId, conversation.conversationId, signal.kind);
    transaction.set(path, signal, { expireAt: new Date(this.now() + signalKeptMs) });
    // What has not begun never will. What runs sees the signal, as will the next run of what waits for another try: it has something to take back at the channel.
    for (const turn of open.filter((waiting) => waiting.state === 'pending' && !hasBegunAnswer(waiting))) {
      const cancelled: TurnRecord = { ...turn, state: 'cancelled', open: false, reason: 'stopped', finishedAt: this.now() };
      transaction.set(paths.turn(turn.tenantId, turn.eventId), cancelled);
    }
  }

  private status(assistant: string, tenant: Tenant, conversation: ConversationRecord, open: readonly TurnRecord[]): string {
    const running = open.find((turn) => turn.state !== 'pending');
    const waiting = open.filter((turn) => turn.state === 'pending').length;
    const doing = running ? `working for ${Math.max(0, Math.round((this.now() - running.receivedAt) / 1000))} s` : 'idle';
    return [
      `**${assistant}** is ${doing}.`,
      '',
      `- Waiting: ${waiting}`,
      `- Queue: ${conversation.overlap ?? tenant.spec.agent.overlap}`,
      `- Model: ${tenant.spec.agent.model}`,
      `- Plan: ${tenant.spec.plan}`,
    ].join('\n');
  }
}

/** A run of it was cut short and may have left a placeholder, or a part of an answer. What another turn answers has nothing of its own. */
function hasBegunAnswer(turn: TurnRecord): boolean {
  return turn.startedAt !== undefined && turn.answeredBy === undefined;
}

/** The word after the command's name, in lower case; empty when there is none. */
function wordAfterCommand(text: string): string {
  return text.trim().split(/\s+/)[1]?.toLowerCase() ?? '';
}

function stopAnswer(open: readonly TurnRecord[]): string {
  if (open.length === 0) return 'Nothing is running.';
  const waiting = open.slice(1).filter((turn) => turn.state === 'pending').length;
  return `⏹ Stopped${waiting > 0 ? `, with ${waiting} more waiting` : ''}.`;
}

const policyMeanings: Readonly<Record<OverlapPolicy, string>> = {
  followup: 'each is answered after the one before',
  collect: 'all that came meanwhile are answered together',
  steer: 'I take them in between two steps of what I am doing',
  interrupt: 'I begin again, with what came in view',
};

function queue(conversation: ConversationRecord, ofTenant: OverlapPolicy, asked: string): CommandEffect {
  const chosen = overlapPolicy.safeParse(asked);
  if (chosen.success) {
    const answer = `Messages that come while I work: **${chosen.data}** – ${policyMeanings[chosen.data]}.`;
    return { conversation: { ...conversation, overlap: chosen.data }, answer };
  }
  if (asked === 'default') {
    const { overlap: _, ...unchosen } = conversation;
    return { conversation: unchosen, answer: `Messages that come while I work: **${ofTenant}** again – ${policyMeanings[ofTenant]}.` };
  }
  const current = conversation.overlap ?? ofTenant;
  const choices = overlapPolicy.options.map((policy) => `- \`/queue ${policy}\`: ${policyMeanings[policy]}`);
  const problem = asked === '' ? [] : ['I do not know that choice.'];
  const answer = [
    ...problem,
    `Messages that come while I work: **${current}**.`,
    '',
    ...choices,
    '- `/queue default`: as set up for me',
  ].join('\n');
  return { conversation, answer };
}

function helpAnswer(assistant: string, more: MoreCommands['names']): string {
  const brought = Object.entries(more).map(([name, does]) => `- \`/${name}\` ${does}\n`);
  return `Hello, this is **${assistant}**. Write to me and I answer.

- \`/stop\` ends what I am doing
- \`/status\` shows what I am doing
- \`/new\` begins a new conversation
- \`/queue\` says what becomes of messages that come while I work
${brought.join('')}- \`/help\` shows this`;
}
