import { readdir } from 'node:fs/promises';
import { rounded, type Figure } from './figures.js';
import { openInstallation, tell, tellAll, usualBots, type Installation } from './installation.js';

const width = 32;
const patienceMs = 900_000;
/** What a process that has just started still does has come to its end by then. */
const restMs = 5_000;
const watchedMs = 20_000;

interface AtRest {
  readonly residentMiB: number;
  /** Of a second of doing nothing. */
  readonly cpuMs: number;
  readonly threads: number;
}

/** What jobs that wait cost while they do: the same product without any, and with many, each time just started and left alone. */
export async function measureWaitingJobs(count: number): Promise<Figure[]> {
  const bench = await openInstallation(usualBots, 'plan: pro, ');
  const begun = new Set<string>();
  bench.model.when(({ lastUserText, toolRounds }) => (toolRounds === 1 && begun.add(lastUserText), false)).reply('unused');
  bench.model
    .when('wait')
    .reply(
      { toolCalls: [{ name: 'start_job', arguments: { title: 'work' } }] },
      { toolCalls: [{ name: 'wait', arguments: { minutes: 2 * 24 * 60 } }] },
      { text: 'this was not to come' },
    );
  try {
    const none = await atRest(bench);
    const began = performance.now();
    await beginWaiting(bench, begun, count);
    const perSecond = count / ((performance.now() - began) / 1000);
    const many = await atRest(bench);
    const extraMiB = many.residentMiB - none.residentMiB;
    return [
      { name: 'resident memory, just started, without jobs', value: rounded(none.residentMiB), unit: 'MiB' },
      { name: `resident memory, just started, with ${count} jobs that wait`, value: rounded(many.residentMiB), unit: 'MiB' },
      { name: 'memory a waiting job', value: rounded((extraMiB * 1024) / count), unit: 'KiB' },
      { name: 'processor time of a second at rest, without jobs', value: rounded(none.cpuMs), unit: 'ms' },
      { name: `processor time of a second at rest, with ${count} jobs that wait`, value: rounded(many.cpuMs), unit: 'ms' },
      { name: 'threads beside those without jobs', value: many.threads - none.threads, unit: '', target: { at: 'most', value: 0 } },
      { name: 'jobs begun, up to their wait', value: Math.round(perSecond), unit: 'jobs/s' },
    ];
  } finally {
    await bench.close();
  }
}

/** Starts so many jobs. Resolves once the model has been asked, in each, what comes first: to wait. */
async function beginWaiting(bench: Installation, begun: ReadonlySet<string>, count: number): Promise<void> {
  await tellAll(count, width, (n) => tell(bench, n % usualBots, `wait ${n}`));
  const deadline = Date.now() + patienceMs;
  while (begun.size < count) {
    if (Date.now() > deadline) throw new Error(`${begun.size} of ${count} jobs got to their wait`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Starts the process anew and lets it rest; then looks at it for a while. */
async function atRest({ product }: Installation): Promise<AtRest> {
  await product.process.restart('SIGTERM');
  await new Promise((resolve) => setTimeout(resolve, restMs));
  const cpuBefore = await product.cpuMs();
  await new Promise((resolve) => setTimeout(resolve, watchedMs));
  const cpuMs = ((await product.cpuMs()) - cpuBefore) / (watchedMs / 1000);
  const threads = (await readdir(`/proc/${product.process.pid}/task`)).length;
  return { residentMiB: await product.residentMiB(), cpuMs, threads };
}
