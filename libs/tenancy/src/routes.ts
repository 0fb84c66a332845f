import type { Documents } from '@rockpool/cloud';
import { joinId, type ChannelName, type InboundMessage, type TenantId } from '@rockpool/contracts';
import { ReadCache } from './read-cache.js';
import { TenantChanges } from './tenant-changes.js';
import { routePath, type RouteRecord } from './tenant-record.js';
import type { TenantSpec } from './tenant.js';

/** What came in, as far as it decides whose it is. `peers` are `user:…`, `chat:…`, `channel:…`, the most telling first. */
export interface RouteQuery {
  readonly channel: ChannelName;
  /** The bot or workspace that received it. */
  readonly account: string;
  readonly peers: readonly string[];
}

/** Ids of the Telegram bots whose routes are computed: they come from the tokens, which a spec does not hold. */
export interface BotAccounts {
  readonly ownTelegram?: string;
  readonly sharedTelegram?: string;
}

/** `{channel}:{account}[:{kind}:{id}]`, each part escaped. A peer is `kind:id`. */
export function routeId(channel: ChannelName, account: string, peer?: string): string {
  if (peer === undefined) return joinId(channel, account);
  const separator = peer.indexOf(':');
  return joinId(channel, account, peer.slice(0, separator), peer.slice(separator + 1));
}

/**
 * The routes a tenant claims: its own bot or workspace as a whole; of a shared one its people, groups and channels, and with `dmPolicy: open` the team.
 * Two tenants must never claim the same one. A bot whose id is not known claims nothing.
 */
export function routesOf(spec: TenantSpec, accounts: BotAccounts): string[] {
  const { telegram, slack } = spec.channels;
  const routes: string[] = [];
  if (telegram?.shared === false && accounts.ownTelegram !== undefined) routes.push(routeId('telegram', accounts.ownTelegram));
  if (telegram?.shared === true && accounts.sharedTelegram !== undefined) {
    for (const person of telegram.people) routes.push(routeId('telegram', accounts.sharedTelegram, `user:${person}`));
    for (const group of telegram.groups) routes.push(routeId('telegram', accounts.sharedTelegram, `chat:${group}`));
  }
  if (slack && (!slack.shared || slack.dmPolicy === 'open')) routes.push(routeId('slack', slack.team));
  if (slack?.shared) {
    for (const channel of slack.channels) routes.push(routeId('slack', slack.team, `channel:${channel}`));
    for (const person of slack.people) routes.push(routeId('slack', slack.team, `user:${person}`));
  }
  return [...new Set(routes)];
}

/** The peers of a message for {@link Routes.resolve}: a group or channel is more telling than the person who speaks in it. */
export function peersOf(message: Pick<InboundMessage, 'target' | 'chatKind' | 'sender'>): string[] {
  const place = message.target.channel === 'slack' ? 'channel' : 'chat';
  const person = `user:${message.sender.id}`;
  return message.chatKind === 'group' ? [`${place}:${message.target.chatId}`, person] : [person];
}

/** Finds the tenant of what a shared bot or an app-wide endpoint received. Changes are seen as {@link Tenants} sees them. */
export class Routes {
  readonly #cache: ReadCache<TenantId>;
  readonly #changes: TenantChanges;

  constructor(
    private readonly documents: Documents,
    options: { now?: () => number } = {},
  ) {
    this.#cache = new ReadCache({ maxAgeMs: 30_000, maxEntries: 50_000, absentMaxAgeMs: 5_000, maxAbsentEntries: 10_000 }, options.now);
    // A tenant's routes are written with the tenant, so any change of a tenant may have moved any route.
    this.#changes = new TenantChanges(documents, () => this.#cache.clear(), options.now);
  }

  /** The first peer that has a route wins, then the account as a whole. */
  async resolve({ channel, account, peers }: RouteQuery): Promise<TenantId | undefined> {
    await this.#changes.start();
    for (const id of [...peers.map((peer) => routeId(channel, account, peer)), routeId(channel, account)]) {
      const tenantId = await this.#cache.get(id, async () => (await this.documents.get<RouteRecord>(routePath(id)))?.data.tenantId);
      if (tenantId !== undefined) return tenantId;
    }
    return undefined;
  }

  /** Stops watching for changes. */
  close(): void {
    this.#changes.close();
  }
}
