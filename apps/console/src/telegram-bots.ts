import type { TenantId } from '@rockpool/contracts';
import type { PlatformConfig } from '@rockpool/service';
import type { Credentials, Tenants } from '@rockpool/tenancy';
import { z } from 'zod';
import type { WebhookRegistration } from './control-plane.js';

/** https://core.telegram.org/bots/api#making-requests */
const answer = z.object({ ok: z.boolean(), description: z.string().optional(), result: z.unknown() });
const botUser = z.object({ id: z.number(), username: z.string().optional() });
const webhookInfo = z.object({
  url: z.string(),
  pending_update_count: z.number(),
  last_error_date: z.number().optional(),
  last_error_message: z.string().optional(),
});
const timeoutMs = 10_000;

/** What Telegram says of one bot. `problem` is set when it could not be asked or refused the token. */
export interface BotReport {
  readonly tenantId?: TenantId;
  readonly username?: string;
  /** Where it delivers now; empty when nowhere. */
  readonly webhookUrl?: string;
  readonly expectedUrl?: string;
  readonly pendingUpdates?: number;
  readonly lastError?: string;
  readonly problem?: { readonly text: string; readonly reachable: boolean };
}

interface Bot {
  readonly tenantId?: TenantId;
  readonly token: string;
  readonly webhookSecret: string;
}

/** The Telegram bots of an installation, as their owner sees them at Telegram. */
export class TelegramBots {
  constructor(
    private readonly tenants: Tenants,
    private readonly credentials: Credentials,
    private readonly config: Pick<PlatformConfig, 'ROCKPOOL_TELEGRAM_API_URL' | 'ROCKPOOL_PUBLIC_URL'>,
  ) {}

  /** Tells Telegram, for every bot, where its updates go and with which secret. One that fails does not keep the others from it. */
  async registerWebhooks(publicUrl: string): Promise<WebhookRegistration[]> {
    return this.#each(async (bot) => {
      const url = urlOf(bot, publicUrl);
      const set = await this.#call(bot.token, 'setWebhook', { url, secret_token: bot.webhookSecret });
      return { ...(bot.tenantId && { tenantId: bot.tenantId }), url, ...('problem' in set && { problem: set.problem.text }) };
    });
  }

  async report(): Promise<BotReport[]> {
    return this.#each(async (bot) => {
      const whose = { ...(bot.tenantId && { tenantId: bot.tenantId }) };
      const me = await this.#call(bot.token, 'getMe', {});
      if ('problem' in me) return { ...whose, problem: me.problem };
      const info = await this.#call(bot.token, 'getWebhookInfo', {});
      if ('problem' in info) return { ...whose, problem: info.problem };
      const { username } = botUser.parse(me.result);
      const { url, pending_update_count, last_error_message } = webhookInfo.parse(info.result);
      const base = this.config.ROCKPOOL_PUBLIC_URL;
      const expectedUrl = base === undefined ? undefined : urlOf(bot, base);
      return {
        ...whose,
        ...(username !== undefined && { username }),
        webhookUrl: url,
        ...(expectedUrl !== undefined && { expectedUrl }),
        pendingUpdates: pending_update_count,
        ...(last_error_message !== undefined && { lastError: last_error_message }),
      };
    });
  }

  /** A few at a time: Telegram limits by bot, and an installation may have thousands. */
  async #each<Result>(work: (bot: Bot) => Promise<Result>): Promise<Result[]> {
    const owners = [
      undefined,
      ...(await this.tenants.list()).filter(({ spec }) => spec.channels.telegram?.shared === false).map(({ id }) => id),
    ];
    const results: Result[] = [];
    const next = owners.values();
    const worker = async () => {
      for (const tenantId of next) {
        const bot = await this.credentials.telegramBot(tenantId);
        if (bot) results.push(await work({ ...(tenantId && { tenantId }), ...bot }));
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    return results;
  }

  /** The token is part of the URL, so nothing of a failure but our own words is passed on. */
  async #call(
    token: string,
    method: string,
    body: object,
  ): Promise<{ result: unknown } | { problem: { text: string; reachable: boolean } }> {
    try {
      const response = await fetch(`${this.config.ROCKPOOL_TELEGRAM_API_URL}/bot${token}/${method}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
      });
      const { ok, result, description } = answer.parse(await response.json());
      return ok ? { result } : { problem: { text: description ?? `Telegram answered ${response.status}`, reachable: true } };
    } catch (error) {
      const reason =
        error instanceof Error && error.name === 'TimeoutError' ? `did not answer within ${timeoutMs / 1000} s` : 'could not be reached';
      return { problem: { text: `${new URL(this.config.ROCKPOOL_TELEGRAM_API_URL).host} ${reason}`, reachable: false } };
    }
  }
}

function urlOf(bot: Bot, publicUrl: string): string {
  return `${publicUrl}/webhooks/telegram${bot.tenantId ? `/${bot.tenantId}` : ''}`;
}
