import { createHash } from 'node:crypto';
import type { Documents, Secrets } from '@rockpool/cloud';
import { NotFound, type ChannelName, type ReplyTarget, type TenantId } from '@rockpool/contracts';
import { BotNames } from './bot-names.js';
import { ReadCache } from './read-cache.js';
import { routeId } from './routes.js';
import { storedSecret } from './secret-refs.js';
import { platformPath, routePath, type PlatformRecord, type RouteRecord } from './tenant-record.js';
import type { SharedSettings } from './tenant.js';
import type { Tenants } from './tenants.js';

/** What a webhook endpoint is verified with. An empty list verifies nothing. */
export interface Endpoint {
  readonly tenantId?: TenantId;
  readonly account: string;
  readonly signingSecrets: readonly string[];
  /** Telegram: as {@link BotNames} has it. */
  readonly botUsername?: string;
}

/** A tenant's own keys by provider; what is missing falls to the platform's. */
export type ModelKeys = Partial<Record<'anthropic' | 'openai' | 'google' | 'openai-compatible', string>>;

/** Where operators are told, with what it takes: `undefined` members are not set up. */
export interface AlertAccess {
  readonly telegram?: { readonly botToken: string; readonly chatId: string };
  readonly slack?: { readonly webhookUrl: string } | { readonly botToken: string; readonly channel: string };
  readonly webhook?: { readonly url: string; readonly secret: string };
}

/** With 30 s at most for the tenant's settings, a secret that was changed or disabled is gone from every instance within a minute. */
const maxAgeMs = 20_000;

/**
 * The secrets of channels and models, by tenant, read through the Secrets port when they are needed and held in memory for 20 s. Values are returned
 * to callers that send or verify, and appear nowhere else.
 */
export class Credentials {
  readonly #values: ReadCache<readonly string[]>;
  readonly #platform: ReadCache<PlatformRecord>;
  readonly #routes: ReadCache<TenantId>;
  readonly #botNames: ReadCache<string>;

  constructor(
    private readonly tenants: Tenants,
    private readonly secrets: Secrets,
    private readonly documents: Documents,
    options: { now?: () => number } = {},
  ) {
    const limits = { maxAgeMs, maxEntries: 20_000, absentMaxAgeMs: 5_000, maxAbsentEntries: 5_000 };
    this.#values = new ReadCache(limits, options.now);
    this.#platform = new ReadCache(limits, options.now);
    this.#routes = new ReadCache(limits, options.now);
    this.#botNames = new ReadCache(limits, options.now);
  }

  /**
   * The endpoint of a tenant's own bot or app, or of the platform's shared one. `undefined` when it is not set up, or its secrets are not all there: such an
   * endpoint lets nobody in. A shared Slack app has no account of its own: the workspace is in each event.
   */
  async endpoint(channel: ChannelName, tenantId: TenantId | undefined): Promise<Endpoint | undefined> {
    if (tenantId === undefined) return this.#sharedEndpoint(channel);
    const tenant = await this.tenants.get(tenantId);
    const { telegram, slack, web, http } = tenant?.spec.channels ?? {};
    const version = tenant?.version;
    if (channel === 'telegram' && telegram?.shared === false) {
      return this.#telegramEndpoint(telegram.botToken, telegram.webhookSecret, { tenantId, version });
    }
    if (channel === 'slack' && slack?.shared === false) {
      return sealed({ tenantId, account: slack.team, signingSecrets: await this.#all(slack.signingSecret, version) });
    }
    if (channel === 'http' && http) return sealed({ tenantId, account: tenantId, signingSecrets: await this.#all(http.secret, version) });
    if (channel === 'web' && web) return { tenantId, account: tenantId, signingSecrets: [] };
    return undefined;
  }

  /** The endpoint of the tenant whose own Slack app is installed in this team: for requests that name the team only in their body. */
  async slackByTeam(team: string): Promise<Endpoint | undefined> {
    const route = routePath(routeId('slack', team));
    const tenantId = await this.#routes.get(team, async () => (await this.documents.get<RouteRecord>(route))?.data.tenantId);
    if (tenantId === undefined) return undefined;
    const endpoint = await this.endpoint('slack', tenantId);
    return endpoint?.account === team ? endpoint : undefined;
  }

  /** The token to answer this target with: the shared bot's where that received the message, else the tenant's own. Rejects with `not_found`. */
  async botToken(tenantId: TenantId, target: ReplyTarget): Promise<string> {
    const { channel } = target;
    if (channel !== 'telegram' && channel !== 'slack') throw new NotFound(`${channel} has no bot token`);
    const tenant = await this.tenants.get(tenantId);
    const own = tenant?.spec.channels[channel];
    // A tenant that lost its place on the shared bot must not go on speaking through it.
    if (!own || own.shared !== target.shared)
      throw new NotFound(`tenant ${tenantId} has no ${target.shared ? 'shared ' : ''}${channel} bot`);
    const ref = own.shared ? (await this.#shared())[channel]?.botToken : own.botToken;
    const token = ref && (await this.#newest(ref, tenant?.version));
    if (!token) throw new NotFound(`the ${channel} bot token of ${own.shared ? 'the platform' : `tenant ${tenantId}`} is not stored`);
    return token;
  }

  /** All that setting up a Telegram bot needs: a tenant's own, or the platform's shared one. `undefined` when there is none, or a secret is missing. */
  async telegramBot(tenantId: TenantId | undefined): Promise<{ account: string; token: string; webhookSecret: string } | undefined> {
    const tenant = tenantId === undefined ? undefined : await this.tenants.get(tenantId);
    const settings = tenantId === undefined ? (await this.#shared()).telegram : tenant?.spec.channels.telegram;
    if (!settings || !('botToken' in settings)) return undefined;
    const token = await this.#newest(settings.botToken, tenant?.version);
    const webhookSecret = await this.#newest(settings.webhookSecret, tenant?.version);
    return token && webhookSecret ? { account: telegramAccount(token), token, webhookSecret } : undefined;
  }

  /** Where and how a tenant's answers to Standard Webhooks go; `undefined` when it named no address or its secret is not stored. */
  async httpReply(tenantId: TenantId): Promise<{ replyUrl: string; secret: string } | undefined> {
    const tenant = await this.tenants.get(tenantId);
    const http = tenant?.spec.channels.http;
    const secret = http && (await this.#newest(http.secret, tenant?.version));
    return http?.replyUrl !== undefined && secret ? { replyUrl: http.replyUrl, secret } : undefined;
  }

  /** The tenant's own model keys. A key that is set but not stored rejects with `not_found`, rather than have the platform pay. */
  async modelKeys(tenantId: TenantId): Promise<ModelKeys> {
    const tenant = await this.tenants.get(tenantId);
    const keys = Object.entries(tenant?.spec.agent.keys ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const found = keys.map(async ([provider, ref]) => {
      const key = await this.#newest(ref, tenant?.version);
      if (!key) throw new NotFound(`the ${provider} key of tenant ${tenantId} is not stored`);
      return [provider, key] as const;
    });
    return Object.fromEntries(await Promise.all(found));
  }

  /** Which of the platform's shared bots are set up to be used. */
  async sharedChannels(): Promise<('telegram' | 'slack')[]> {
    const { telegram, slack } = await this.#shared();
    return [...(telegram ? (['telegram'] as const) : []), ...(slack ? (['slack'] as const) : [])];
  }

  /** Where operators are told. One whose secret is not stored is left out. */
  async alertAccess(): Promise<AlertAccess> {
    const { telegram, slack, webhook } = (await this.#platformRecord())?.alerts ?? {};
    const value = async (ref: string | undefined) => (ref === undefined ? undefined : this.#newest(ref));
    const botToken = await value(telegram?.botToken);
    const webhookUrl = await value(slack?.webhookUrl);
    const slackToken = await value(slack?.botToken);
    const secret = await value(webhook?.secret);
    return {
      ...(telegram && botToken && { telegram: { botToken, chatId: telegram.chatId } }),
      ...(webhookUrl && { slack: { webhookUrl } }),
      ...(slackToken && slack?.channel !== undefined && { slack: { botToken: slackToken, channel: slack.channel } }),
      ...(webhook && secret && { webhook: { url: webhook.url, secret } }),
    };
  }

  async #sharedEndpoint(channel: ChannelName): Promise<Endpoint | undefined> {
    const { telegram, slack } = await this.#shared();
    if (channel === 'telegram' && telegram) return this.#telegramEndpoint(telegram.botToken, telegram.webhookSecret);
    if (channel === 'slack' && slack) return sealed({ account: '', signingSecrets: await this.#all(slack.signingSecret) });
    return undefined;
  }

  async #telegramEndpoint(
    botToken: string,
    webhookSecret: string,
    tenant?: { tenantId: TenantId; version: string | undefined },
  ): Promise<Endpoint | undefined> {
    const [token, signingSecrets] = await Promise.all([this.#newest(botToken, tenant?.version), this.#all(webhookSecret, tenant?.version)]);
    if (token === undefined) return undefined;
    const account = telegramAccount(token);
    const botUsername = await this.#botNames.get(account, () => new BotNames(this.documents).get(account));
    return sealed({
      ...(tenant && { tenantId: tenant.tenantId }),
      account,
      signingSecrets,
      ...(botUsername !== undefined && { botUsername }),
    });
  }

  async #shared(): Promise<SharedSettings> {
    return (await this.#platformRecord())?.shared ?? {};
  }

  #platformRecord(): Promise<PlatformRecord | undefined> {
    return this.#platform.get(platformPath, async () => (await this.documents.get<PlatformRecord>(platformPath))?.data);
  }

  async #newest(ref: string, tenantVersion?: string): Promise<string | undefined> {
    return (await this.#all(ref, tenantVersion))[0];
  }

  /** With the tenant's version in the key, what was read before a change of the tenant is not used after it. */
  async #all(ref: string, tenantVersion = ''): Promise<readonly string[]> {
    const name = storedSecret(ref);
    if (!name) return [];
    const values = await this.#values.get(`${name.tenant}/${name.field}@${tenantVersion}`, async () => {
      const all = await this.secrets.getAll(name);
      return all.length > 0 ? all : undefined;
    });
    return values ?? [];
  }
}

/** An endpoint without a secret is none: it must not exist rather than be open. */
function sealed(endpoint: Endpoint): Endpoint | undefined {
  return endpoint.signingSecrets.length > 0 ? endpoint : undefined;
}

/** The bot's id: the digits before `:` of its token, else a short hash of the token. */
export function telegramAccount(token: string): string {
  return /^(\d+):/.exec(token)?.[1] ?? createHash('sha256').update(token).digest('hex').slice(0, 12);
}
