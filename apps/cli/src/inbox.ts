import type { ConversationId } from '@rockpool/contracts';
import type { ReplyRecord, TurnRecord, TurnState } from '@rockpool/conversations';
import { Option, type Command } from 'commander';
import { age, parseEvent, parseInboxOwner, turnStates, wholeNumber } from './arguments.js';
import { onInstance, withInstance, type InstanceOptions } from './instance.js';
import { registerReplay } from './inbox-replay.js';
import { color, duration, print, printable, printJson, shortened, table } from './output.js';

interface ListOptions extends InstanceOptions {
  readonly tenant?: string;
  readonly conversation?: string;
  readonly state?: TurnState;
  readonly olderThan?: number;
  readonly limit: number;
  readonly cursor?: string;
}

/** `rockpool inbox`: what came in, and what became of it. */
export function registerInbox(program: Command): void {
  const inbox = program.command('inbox').description('what came in, what became of it; replay or discard what failed');
  onInstance(inbox.command('list', { isDefault: true }).description('the latest events, newest first'), [
    'rockpool inbox',
    'rockpool inbox list --state quarantined --older-than 1h',
    'rockpool inbox list --tenant _unrouted',
  ])
    .option('--tenant <id>', 'of this tenant; _unrouted: what reached a shared bot and is nobody’s')
    .option('--conversation <id>', 'of this conversation')
    .addOption(new Option('--state <state>', 'in this state').choices(turnStates))
    .option('--older-than <age>', 'received at least so long ago: 30s, 10m, 1h, 2d', age)
    .option('--limit <n>', 'at most so many', (text) => wholeNumber(text, 1, 1000), 50)
    .option('--cursor <cursor>', 'go on where an earlier list ended')
    .action(list);
  onInstance(inbox.command('show <event> [id]').description('one event with its attempts and every message of its answer'), [
    'rockpool inbox show alice/telegram:110201543:update:8412',
  ]).action(show);
  registerReplay(inbox);
}

async function list({ tenant, conversation, state, olderThan, limit, cursor, ...options }: ListOptions): Promise<void> {
  const tenantId = tenant === undefined ? undefined : parseInboxOwner(tenant);
  const page = await withInstance(options, ({ controlPlane }) =>
    controlPlane.inbox({
      ...(tenantId && { tenantId }),
      ...(conversation !== undefined && { conversationId: conversation as ConversationId }),
      ...(state && { state }),
      ...(olderThan !== undefined && { before: Date.now() - olderThan }),
      limit,
      ...(cursor !== undefined && { cursor }),
    }),
  );
  if (options.json) return printJson(page);
  if (page.items.length === 0) return print('Nothing.');
  const rows = page.items.map((turn) => [
    `${turn.tenantId}/${turn.eventId}`,
    turn.state,
    duration(Date.now() - turn.receivedAt),
    String(turn.attempts),
    shortened(turn.reason ?? turn.message.text, 60),
  ]);
  print(table(['EVENT', 'STATE', 'AGE', 'TRIES', 'TEXT OR REASON'], rows));
  if (page.nextCursor !== undefined) print(color('dim', `There is more: --cursor ${page.nextCursor}`));
}

async function show(event: string, id: string | undefined, options: InstanceOptions): Promise<void> {
  const named = parseEvent(event, id);
  const { turn, replies } = await withInstance(options, ({ controlPlane }) => controlPlane.turn(named.tenantId, named.eventId));
  if (options.json) return printJson({ turn, replies });
  for (const [name, value] of factsOf(turn)) print(`${name.padEnd(14)}${printable(value)}`);
  print();
  print(replies.length > 0 ? table(['MESSAGE', 'STATE', 'RECEIPT', 'TEXT'], replies.map(replyRow)) : 'Nothing was sent.');
}

function factsOf(turn: TurnRecord): [string, string][] {
  const { message, usage } = turn;
  const time = (at: number | undefined) => (at === undefined ? '' : new Date(at).toISOString());
  const facts: [string, string][] = [
    ['event', `${turn.tenantId}/${turn.eventId}`],
    ['conversation', turn.conversationId],
    ['state', turn.state],
    ['reason', turn.reason ?? ''],
    ['attempts', `${turn.attempts}${turn.replays > 0 ? `, replayed ${turn.replays} times` : ''}`],
    ['from', `${message.sender.displayName ?? ''} ${message.sender.id} on ${message.target.channel}`.trim()],
    ['received', time(turn.receivedAt)],
    ['started', time(turn.startedAt)],
    ['finished', time(turn.finishedAt)],
    [
      'usage',
      usage
        ? `${usage.model}, ${usage.inputTokens} tokens in, ${usage.outputTokens} out${usage.costUsd === undefined ? '' : `, $${usage.costUsd.toFixed(4)}`}`
        : '',
    ],
    ['trace', turn.traceparent?.split('-')[1] ?? ''],
    ['text', message.text],
  ];
  return facts.filter(([, value]) => value !== '');
}

function replyRow(reply: ReplyRecord): string[] {
  const state = reply.unknownPlacements > 0 ? `${reply.state}, ${reply.unknownPlacements} unknown` : reply.state;
  return [reply.key, state, reply.receipt ?? '', shortened(reply.error ?? reply.chunk?.text ?? '', 80)];
}
