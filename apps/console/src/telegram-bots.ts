import { getTelegramMe, setTelegramWebhook } from '@rockpool/channels';
import { isTerminal, type TenantId } from '@rockpool/contracts';
import type { PlatformConfig } from '@rockpool/service';
import type { BotNames, Credentials, Tenants } from '@rockpool/tenancy';
import { z } from 'zod';
import type { WebhookRegistration } from './control-plane.js';

/** https://core.telegram.org/bots/api#webhookinfo */
const webhookInfo = z.object({
  ok: z.literal(true),
  result: z.object({ url: z.string(), pending_update_count: z.number(), last_error_message: z.string().optional() }),
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
  readonly account: string;
  readonly token: string;
  readonly webhookSecret: string;
}

/** The Telegram bots of an installation, as their owner sees them at Telegram. */
export class TelegramBots {
  constructor(
    private readonly tenants: Tenants,
    private readonly credentials: Credentials,
    private readonly names: BotNames,
    private readonly config: Pick<PlatformConfig, 'ROCKPOOL_TELEGRAM_API_URL' | 'ROCKPOOL_PUBLIC_URL'>,
  ) {}

  /** Tells Telegram, for every bot, where its updates go and with which secret. One that fails does not keep the others from it. */
  async registerWebhooks(publicUrl: string): Promise<WebhookRegistration[]> {
    return this.#each(async (bot) => {
      const { tenantId, token: botToken, webhookSecret: secretToken } = bot;
      const url = urlOf(bot, publicUrl);
      try {
        const apiUrl = this.config.ROCKPOOL_TELEGRAM_API_URL;
        await setTelegramWebhook({ apiUrl, botToken, url, secretToken });
        await this.#nameOf(bot);
        return { ...(tenantId && { tenantId }), url };
      } catch (error) {
        return { ...(tenantId && { tenantId }), url, problem: wordsOf(error) };
      }
    });
  }

  async report(): Promise<BotReport[]> {
    const { ROCKPOOL_TELEGRAM_API_URL: apiUrl, ROCKPOOL_PUBLIC_URL: publicUrl } = this.config;
    return this.#each(async (bot) => {
      const whose = bot.tenantId && { tenantId: bot.tenantId };
      try {
        const username = await this.#nameOf(bot);
        const { url, pending_update_count, last_error_message } = await webhookOf(apiUrl, bot.token);
        return {
          ...whose,
          username,
          webhookUrl: url,
          ...(publicUrl !== undefined && { expectedUrl: urlOf(bot, publicUrl) }),
          pendingUpdates: pending_update_count,
          ...(last_error_message !== undefined && { lastError: last_error_message }),
        };
      } catch (error) {
        // A refusal is Telegram's word on the token; anything else says nothing about it.
        return { ...whose, problem: { text: wordsOf(error), reachable: isTerminal(error) } };
      }
    });
  }

  /** Leaves the name where the webhooks' readers find it. */
  async #nameOf({ token: botToken, account }: Bot): Promise<string> {
    const { username } = await getTelegramMe({ apiUrl: this.config.ROCKPOOL_TELEGRAM_API_URL, botToken });
    await this.names.remember(account, username);
    return username;
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
}

/** The token is part of the URL, so nothing of a failed request but our own words goes on. */
async function webhookOf(apiUrl: string, token: string): Promise<z.output<typeof webhookInfo>['result']> {
  try {
    const response = await fetch(`${apiUrl}/bot${token}/getWebhookInfo`, { signal: AbortSignal.timeout(timeoutMs) });
    return webhookInfo.parse(await response.json()).result;
  } catch {
    throw new Error('getWebhookInfo was not answered');
  }
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function urlOf(bot: Bot, publicUrl: string): string {
  return `${publicUrl}/webhooks/telegram${bot.tenantId ? `/${bot.tenantId}` : ''}`;
}
