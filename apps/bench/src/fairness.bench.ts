import { ModelSimulator, telegramUpdate, TelegramSimulator, type TelegramBot } from '@rockpool/testkit';
import { quantile, rounded, type Figure } from './figures.js';
import { startProduct, type Product } from './product.js';
import { postWebhook } from './webhook-post.js';

/** Equal tenants with a message a second each; the noisy one has twenty, and an agent that hangs. */
const equalTenants = 49;
const noisyFactor = 20;
const rampSeconds = 15;
const secret = 'bench-secret';

interface Stage {
  readonly product: Product;
  readonly telegram: TelegramSimulator;
  readonly bots: readonly TelegramBot[];
  close(): Promise<void>;
}

/** Tenant 0 is the noisy one. */
async function open(): Promise<Stage> {
  const telegram = new TelegramSimulator({ limits: 'off' });
  const model = new ModelSimulator();
  model.when('hang').reply({ fail: 'hang' });
  const tokens = Array.from({ length: equalTenants + 1 }, (_, n) => `${1000 + n}:token`);
  const tenants = tokens.map(
    (_, n) =>
      `  t${n}: { limits: { messagesPerMinute: 1000000 }, channels: { telegram: { botToken: "env://TOKEN_${n}", webhookSecret: "env://BENCH_SECRET", dmPolicy: open } } }`,
  );
  const environment = {
    ROCKPOOL_TELEGRAM_API_URL: await telegram.start(),
    OPENAI_BASE_URL: `${await model.start()}/v1`,
    BENCH_SECRET: secret,
    ...Object.fromEntries(tokens.map((token, n) => [`TOKEN_${n}`, token])),
  };
  const product = await startProduct(environment, `tenants:\n${tenants.join('\n')}\n`);
  return {
    product,
    telegram,
    bots: tokens.map((token) => telegram.bot({ token })),
    async close() {
      await product.close();
      await Promise.all([telegram.close(), model.close()]);
    },
  };
}

let next = 1;

/** Posts one message of a new person to the tenant. */
async function post({ product }: Stage, tenant: number, text: string): Promise<number> {
  const n = next++;
  const { headers, body } = telegramUpdate({ updateId: n, fromId: 1_000_000 + n, secret, text: `${text} ${n}` });
  const status = await postWebhook(`${product.url}/webhooks/telegram/t${tenant}`, headers, body);
  if (status !== 200) throw new Error(`webhook ${n} got ${status}`);
  return n;
}

/** Milliseconds from the webhook to the final answer. */
async function exchange(stage: Stage, tenant: number): Promise<number> {
  const n = next;
  const chat = stage.telegram.person({ id: 1_000_000 + n, name: `P${n}` }).chat(stage.bots[tenant]!);
  const answer = Promise.withResolvers<number>();
  const began = performance.now();
  const stop = chat.listen(() => {
    if (chat.visible().some((message) => message.from === 'bot' && message.text.includes(`hello ${n}`)))
      answer.resolve(performance.now() - began);
  });
  await post(stage, tenant, 'hello');
  const ms = await answer.promise;
  stop();
  return ms;
}

/** Each equal tenant's latencies while it sends a message a second, evenly over the second. */
async function equalLoad(stage: Stage, seconds: number): Promise<number[][]> {
  const running: Promise<number>[][] = Array.from({ length: equalTenants }, () => []);
  await paced(equalTenants * seconds, equalTenants, (n) => running[n % equalTenants]!.push(exchange(stage, 1 + (n % equalTenants))));
  return Promise.all(running.map((ofTenant) => Promise.all(ofTenant)));
}

async function paced(count: number, perSecond: number, act: (n: number) => void, signal?: AbortSignal): Promise<void> {
  const began = performance.now();
  for (let n = 0; n < count && !signal?.aborted; n++) {
    const waitMs = began + (n * 1000) / perSecond - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    act(n);
  }
}

/** Answers by equal tenant when each keeps four conversations busy, and the noisy one eighty beside those that hang. */
async function saturated(stage: Stage, seconds: number): Promise<number[]> {
  const tenants = Array.from({ length: equalTenants + 1 }, (_, tenant) => tenant);
  const conversations = tenants.flatMap((tenant) => Array.from({ length: tenant === 0 ? 4 * noisyFactor : 4 }, () => tenant));
  // A busy Node server takes new connections one by one, so whoever comes last waits for its first: that is over before the count begins.
  const from = performance.now() + rampSeconds * 1000;
  const until = from + seconds * 1000;
  const answered = tenants.map(() => 0);
  await Promise.all(
    conversations.map(async (tenant) => {
      while (performance.now() < until) {
        await exchange(stage, tenant);
        const now = performance.now();
        if (now >= from && now < until) answered[tenant]!++;
      }
    }),
  );
  return answered.slice(1);
}

/** Jain's index: 1 when all have the same, 1/n when one has everything. */
function jain(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  return sum ** 2 / (shares.length * shares.reduce((total, share) => total + share ** 2, 0));
}

interface Round {
  readonly alone: readonly number[];
  readonly beside: readonly number[];
  /** Each equal tenant's median beside the noisy one. */
  readonly medians: readonly number[];
  readonly shares: readonly number[];
}

async function round(seconds: number): Promise<Round> {
  const stage = await open();
  try {
    await equalLoad(stage, 5);
    const alone = await equalLoad(stage, seconds);
    const over = new AbortController();
    const noise: Promise<number>[] = [];
    const noisy = paced(Infinity, noisyFactor, () => noise.push(post(stage, 0, 'hang')), over.signal);
    // The noisy tenant has taken what it can get before the others are measured.
    await equalLoad(stage, 12);
    const beside = await equalLoad(stage, seconds);
    over.abort();
    await noisy;
    await Promise.all(noise);
    const shares = await saturated(stage, seconds);
    return { alone: alone.flat(), beside: beside.flat(), medians: beside.map((ofTenant) => quantile(ofTenant, 0.5)), shares };
  } finally {
    await stage.close();
  }
}

/**
 * What forty-nine equal tenants notice of a fiftieth that sends twenty times as much as each of them and whose agent hangs, and how evenly they are served. Each round
 * is a new installation; the figures are medians of the rounds, for other work of the machine hits either half of one.
 */
export async function measureFairness(rounds: number, seconds: number): Promise<Figure[]> {
  const measured: Round[] = [];
  for (let n = 0; n < rounds; n++) measured.push(await round(seconds));
  const median = (of: (round: Round) => number) => quantile(measured.map(of), 0.5);
  const p95 = (times: readonly number[]) => quantile(times, 0.95);
  const ratio = median(({ alone, beside }) => p95(beside) / p95(alone));
  const more = median(({ alone, beside }) => p95(beside) - p95(alone));
  return [
    { name: 'webhook to answer, 49 equal tenants alone, p95', value: rounded(median(({ alone }) => p95(alone))), unit: 'ms' },
    { name: 'beside a hanging tenant with 20× the load, p95', value: rounded(median(({ beside }) => p95(beside))), unit: 'ms' },
    { name: 'ratio of the two in one round', value: hundredths(ratio), unit: '×', target: { at: 'most', value: 1.5 } },
    { name: 'difference of the two in one round', value: rounded(more), unit: 'ms', target: { at: 'most', value: 250 } },
    {
      name: 'Jain index of the equal tenants’ times beside it',
      value: hundredths(median(({ medians }) => jain(medians))),
      unit: '',
      target: { at: 'least', value: 0.95 },
    },
    {
      name: 'Jain index of their answers under saturation',
      value: hundredths(median(({ shares }) => jain(shares))),
      unit: '',
      target: { at: 'least', value: 0.95 },
    },
  ];
}

const hundredths = (value: number) => Math.round(value * 100) / 100;
