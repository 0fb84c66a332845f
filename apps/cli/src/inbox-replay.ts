import type { BulkAction, BulkOperation, BulkPlan, BulkRequest, ControlPlane } from '@rockpool/console';
import type { ConversationId } from '@rockpool/contracts';
import type { TurnState } from '@rockpool/conversations';
import { Option, type Command } from 'commander';
import { age, parseEvent, parseInboxOwner, turnStates } from './arguments.js';
import { CommandFailure, exitCodes } from './exit-codes.js';
import { onInstance, withInstance, type Connection, type InstanceOptions } from './instance.js';
import { color, duration, print, printable, printJson } from './output.js';

const watchIntervalMs = 500;

interface BulkOptions extends InstanceOptions {
  readonly tenant?: string;
  readonly conversation?: string;
  readonly state?: TurnState;
  readonly olderThan?: number;
  readonly plan?: true;
  readonly run?: true;
  /** An operation's id, or `true` for the latest. */
  readonly watch?: string | true;
  readonly cancel?: string | true;
}

/** `rockpool inbox replay` and `discard`: one event by its name, or many by what they have in common. */
export function registerReplay(inbox: Command): void {
  register(inbox, 'replay', 'run finished events again, at the end of their conversations');
  register(inbox, 'discard', 'take events off the list for good; they will not run');
}

function register(inbox: Command, action: BulkAction, description: string): void {
  onInstance(inbox.command(`${action} [event] [id]`).description(description), [
    `rockpool inbox ${action} alice/telegram:110201543:update:8412`,
    `rockpool inbox ${action} --state quarantined --tenant alice --older-than 10m --plan`,
    `rockpool inbox ${action} --state quarantined --tenant alice --older-than 10m --run --watch`,
    `rockpool inbox ${action} --cancel`,
  ])
    .addOption(new Option('--state <state>', 'all in this state').choices(turnStates))
    .option('--tenant <id>', 'of this tenant')
    .option('--conversation <id>', 'of this conversation')
    .option('--older-than <age>', 'received at least so long ago: 30s, 10m, 1h, 2d', age)
    .option('--plan', 'say what --run would do')
    .option('--run', 'begin it; the running instance works it off, also over a restart')
    .option('--watch [operation]', 'follow it to its end (default: the latest)')
    .option('--cancel [operation]', 'begin no further batch of it (default: the latest)')
    .action(async (event: string | undefined, id: string | undefined, options: BulkOptions) => {
      if (event !== undefined) return one(action, event, id, options);
      await withInstance(options, (connection) => many(action, connection, options));
    });
}

async function one(action: BulkAction, event: string, id: string | undefined, options: BulkOptions): Promise<void> {
  if (options.state ?? options.plan ?? options.run ?? options.watch ?? options.cancel) {
    throw new CommandFailure(exitCodes.usage, 'name one event, or say which with --state: not both');
  }
  const named = parseEvent(event, id);
  const turn = await withInstance(options, ({ controlPlane }) => controlPlane[action](named.tenantId, named.eventId));
  if (options.json) return printJson(turn);
  print(`${named.tenantId}/${named.eventId} is ${turn.state}${action === 'replay' ? ' again' : ''}.`);
}

async function many(action: BulkAction, { controlPlane, url, config }: Connection, options: BulkOptions): Promise<void> {
  if (options.cancel !== undefined) {
    const operation = await controlPlane.cancelOperation(await idOf(controlPlane, options.cancel));
    return options.json ? printJson(operation) : print(`${operation.id} is cancelled. ${progress(operation)}`);
  }
  if (options.run) {
    const operation = await controlPlane.beginBulk(requestOf(action, options));
    if (options.watch !== undefined) return watch(controlPlane, operation.id, options);
    if (options.json) return printJson(operation);
    print(
      `${operation.id} has begun: ${action} ${events(operation.planned)}. To follow it: rockpool inbox ${action} --watch ${operation.id}`,
    );
    if (url === undefined && config.ROCKPOOL_ENGINE === 'embedded')
      print(color('yellow', 'No instance runs on this data folder: it is worked off once one does (npm start).'));
    return;
  }
  if (options.watch !== undefined) return watch(controlPlane, await idOf(controlPlane, options.watch), options);
  const plan = await controlPlane.planBulk(requestOf(action, options));
  if (options.json) return printJson(plan);
  printPlan(plan);
}

function requestOf(action: BulkAction, { state, tenant, conversation, olderThan }: BulkOptions): BulkRequest {
  if (state === undefined) {
    throw new CommandFailure(exitCodes.usage, `name an event as rockpool inbox prints it, or say which with --state, then --plan or --run`);
  }
  return {
    action,
    state,
    ...(tenant !== undefined && { tenantId: parseInboxOwner(tenant) }),
    ...(conversation !== undefined && { conversationId: conversation as ConversationId }),
    ...(olderThan !== undefined && { before: Date.now() - olderThan }),
  };
}

async function idOf(controlPlane: ControlPlane, given: string | true): Promise<string> {
  if (given !== true) return given;
  const [latest] = await controlPlane.operations();
  if (!latest) throw new CommandFailure(exitCodes.problem, 'There is no operation.');
  return latest.id;
}

function printPlan({ request, count, isMore, tenants, first }: BulkPlan): void {
  print(
    `${request.action} would take ${events(count)}${isMore ? ' or more' : ''} in state ${request.state}, received before ${new Date(request.before).toISOString()}.`,
  );
  for (const [tenant, share] of Object.entries(tenants)) print(`  ${tenant}: ${share}`);
  if (first.length > 0) print('The oldest:');
  for (const { tenantId, eventId, reason } of first)
    print(printable(`  ${tenantId}/${eventId}${reason === undefined ? '' : `  ${reason.slice(0, 80)}`}`));
  if (count > 0) print(color('dim', 'Nothing was done. The same with --run does it.'));
}

/** Follows an operation to its end: a line whenever it has got on, on stdout. */
async function watch(controlPlane: ControlPlane, id: string, { json }: BulkOptions): Promise<void> {
  let shown = '';
  for (;;) {
    const operation = await controlPlane.operation(id);
    const line = progress(operation);
    if (!json && line !== shown) print((shown = line));
    if (operation.state !== 'running') return json ? printJson(operation) : printEnd(operation);
    await new Promise((resolve) => setTimeout(resolve, watchIntervalMs));
  }
}

function printEnd({ state, problems, createdAt, finishedAt }: BulkOperation): void {
  print(`It is ${state}, after ${duration((finishedAt ?? createdAt) - createdAt)}.`);
  for (const { tenantId, eventId, reason } of problems) print(printable(`  skipped ${tenantId}/${eventId}: ${reason}`));
}

function progress({ done, skipped, planned }: BulkOperation): string {
  return `${done} of ${planned} done${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

function events(count: number): string {
  return count === 1 ? '1 event' : `${count} events`;
}
