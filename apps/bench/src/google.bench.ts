import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { GoogleStack, ModelSimulator, TelegramSimulator, whyNoStack } from '@rockpool/testkit';
import { exchange, webhookSecret, type Conversing } from './exchange.js';
import { quantile, rounded, type Figure } from './figures.js';
import { startProduct } from './product.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const tenantCount = 8;
const width = 16;
/** A message is published twice on its way: as an event and as a wake. */
const busTrips = 2;

/** An installation to be measured, on either engine. */
interface Measured extends Conversing {
  /** Of all its processes so far. */
  cpuMs(): Promise<number>;
}

interface Timed {
  readonly answerMs: readonly number[];
  readonly rate: number;
  readonly cpuMsPerMessage: number;
}

/**
 * The Google engine on the emulators, each app one process, beside the embedded engine and beside Google's own clients, in one run: what a message takes from webhook to
 * answer when there is no other, and how much of that neither the bus nor the emulator's documents explain. Rejects with the reason when the emulators are missing.
 */
export async function measureGoogle(messages: number): Promise<Figure[]> {
  const missing = whyNoStack();
  if (missing !== undefined) throw new Error(`the emulators cannot be started: ${missing}`);
  const simulators = { telegram: new TelegramSimulator({ limits: 'off' }), model: new ModelSimulator() };
  const tokens = Array.from({ length: tenantCount }, (_, n) => `${1000 + n}:token`);
  const environment = {
    ROCKPOOL_TELEGRAM_API_URL: await simulators.telegram.start(),
    OPENAI_BASE_URL: `${await simulators.model.start()}/v1`,
    BENCH_SECRET: webhookSecret,
    ...Object.fromEntries(tokens.map((token, n) => [`TOKEN_${n}`, token])),
  };
  const lines = tokens.map(
    (_, n) => `  t${n}: { channels: { telegram: { botToken: "env://TOKEN_${n}", webhookSecret: "env://BENCH_SECRET", dmPolicy: open } } }`,
  );
  const file = `tenants:\n${lines.join('\n')}\n`;
  const bots = tokens.map((token) => simulators.telegram.bot({ token }));
  try {
    const product = await startProduct(environment, file);
    const embedded = await timed({ url: product.url, telegram: simulators.telegram, bots, cpuMs: () => product.cpuMs() }, messages);
    await product.close();

    const stack = await GoogleStack.start({ root, copies: 1, env: { ROCKPOOL_LOG_LEVEL: 'warn', ...environment } });
    try {
      await apply(stack, file, environment);
      const pids = stack.processes.map(({ pid }) => pid!);
      const cpuMs = async () => (await Promise.all(pids.map(cpuOf))).reduce((sum, one) => sum + one, 0);
      const google = await timed({ url: stack.url, telegram: simulators.telegram, bots, cpuMs }, messages);
      return figures(embedded, google, await bareClients(stack, messages));
    } finally {
      await stack.stop();
    }
  } finally {
    await Promise.all([simulators.telegram.close(), simulators.model.close()]);
  }
}

/** One message after another, then `width` at once. */
async function timed(installation: Measured, messages: number): Promise<Timed> {
  for (let warm = 0; warm < 20; warm++) await exchange(installation);
  const answerMs: number[] = [];
  for (let n = 0; n < messages; n++) answerMs.push((await exchange(installation)).answerMs);
  const cpuBefore = await installation.cpuMs();
  const began = performance.now();
  let left = 4 * messages;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (left-- > 0) await exchange(installation);
    }),
  );
  const rate = (4 * messages) / ((performance.now() - began) / 1000);
  return { answerMs, rate, cpuMsPerMessage: ((await installation.cpuMs()) - cpuBefore) / (4 * messages) };
}

function figures(embedded: Timed, google: Timed, bare: BareTimes): Figure[] {
  const p50 = (times: readonly number[]) => quantile(times, 0.5);
  const answer = p50(google.answerMs);
  const bus = p50(bare.publishToPullMs);
  const ms = (name: string, value: number): Figure => ({ name, value: rounded(value), unit: 'ms' });
  return [
    ms('embedded engine, webhook to answer, one at a time, p50', p50(embedded.answerMs)),
    ms('Google engine on the emulators, likewise', answer),
    ms('Google’s client alone, publish to pull, p50', bus),
    ms('Google’s client alone, one document written, p50', p50(bare.commitMs)),
    ms(`webhook to answer less ${busTrips} trips over the bus`, answer - busTrips * bus),
    { name: `embedded engine, ${width} at once`, value: Math.round(embedded.rate), unit: 'messages/s' },
    { name: 'Google engine on the emulators, likewise', value: Math.round(google.rate), unit: 'messages/s' },
    ms('embedded engine, processor time a message', embedded.cpuMsPerMessage),
    ms('Google engine, processor time a message, all apps, without the emulators', google.cpuMsPerMessage),
  ];
}

interface BareTimes {
  readonly publishToPullMs: readonly number[];
  readonly commitMs: readonly number[];
}

async function bareClients(stack: GoogleStack, messages: number): Promise<BareTimes> {
  const script = join(root, 'libs/cloud-google/bench/bare-clients.mjs');
  const { stdout } = await run(process.execPath, [script, String(messages)], { env: { ...process.env, ...stack.environment } });
  return JSON.parse(stdout) as BareTimes;
}

async function apply(stack: GoogleStack, tenants: string, secrets: Readonly<Record<string, string>>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rockpool-bench-'));
  try {
    const file = join(folder, 'tenants.yaml');
    await writeFile(file, tenants);
    const { PATH, HOME } = process.env;
    await run(process.execPath, [join(root, 'apps/cli/dist/main.js'), 'apply', file, '--yes'], {
      env: { PATH, HOME, ...stack.environment, ...secrets },
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Processor time of a process so far, milliseconds: fields 14 and 15 of its line, in hundredths of a second. */
async function cpuOf(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
