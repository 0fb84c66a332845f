import { ModelSimulator, telegramUpdate, TelegramSimulator } from '@rockpool/testkit';
import { webhookSecret, type Conversing } from './exchange.js';
import { startProduct, type Product } from './product.js';
import { postWebhook } from './webhook-post.js';

/** Each has its own bot, as tenants do; Telegram limits sends by bot. */
export const usualBots = 40;

/** The product with tenants `t0`, `t1` …, of which the first 40 have bots that people write to, beside a model that answers at once. */
export interface Installation extends Conversing {
  readonly product: Product;
  readonly model: ModelSimulator;
  close(): Promise<void>;
}

/** `more` is put into each tenant's entry, as YAML. */
export async function openInstallation(tenantCount: number, more = ''): Promise<Installation> {
  const telegram = new TelegramSimulator({ limits: 'off' });
  const model = new ModelSimulator();
  const environment = {
    ROCKPOOL_TELEGRAM_API_URL: await telegram.start(),
    OPENAI_BASE_URL: `${await model.start()}/v1`,
    BENCH_SECRET: webhookSecret,
  };
  const tokens = Array.from({ length: tenantCount }, (_, n) => `${1000 + n}:token`);
  const tenants = tokens.map(
    (_, n) =>
      `  t${n}: { ${more}channels: { telegram: { botToken: "env://TOKEN_${n}", webhookSecret: "env://BENCH_SECRET", dmPolicy: open } } }`,
  );
  const secrets = Object.fromEntries(tokens.map((token, n) => [`TOKEN_${n}`, token]));
  const product = await startProduct({ ...environment, ...secrets }, `tenants:\n${tenants.join('\n')}\n`);
  return {
    product,
    model,
    url: product.url,
    telegram,
    bots: tokens.slice(0, usualBots).map((token) => telegram.bot({ token })),
    async close() {
      await product.close();
      await Promise.all([telegram.close(), model.close()]);
    },
  };
}

let next = 1;

/** Posts a message of a new person to a tenant. Resolves once the webhook got its 2xx. */
export async function tell({ url, telegram, bots }: Conversing, tenant: number, text: string): Promise<void> {
  const n = next++;
  telegram.person({ id: 5_000_000 + n, name: `P${n}` }).chat(bots[tenant]!);
  const { headers, body } = telegramUpdate({ updateId: 5_000_000 + n, fromId: 5_000_000 + n, secret: webhookSecret, text });
  const status = await postWebhook(`${url}/webhooks/telegram/t${tenant}`, headers, body);
  if (status !== 200) throw new Error(`webhook ${n} got ${status}`);
}

/** Tells so many things, never more than `width` webhooks at a time. */
export async function tellAll(count: number, width: number, tellOne: (n: number) => Promise<void>): Promise<void> {
  let begun = 0;
  await Promise.all(
    Array.from({ length: Math.min(width, count) }, async () => {
      while (begun < count) await tellOne(begun++);
    }),
  );
}

/** When texts first appeared at the simulated Telegram, by the part of them that a pattern finds. */
export class Appearances {
  /** Epoch milliseconds. */
  readonly at = new Map<string, number>();
  private seen = 0;

  constructor(
    private readonly telegram: TelegramSimulator,
    private readonly pattern: RegExp,
  ) {}

  /** Resolves once so many different ones have appeared; rejects when they do not within the time. */
  async until(count: number, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const { calls } = this.telegram;
      for (; this.seen < calls.length; this.seen++) {
        const { status, parameters, at } = calls[this.seen]!;
        const [found] = this.pattern.exec(String(parameters['text'] ?? '')) ?? [];
        if (status === 200 && found !== undefined && !this.at.has(found)) this.at.set(found, at);
      }
      if (this.at.size >= count) return;
      if (Date.now() > deadline) throw new Error(`${this.at.size} of ${count} appeared within ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
