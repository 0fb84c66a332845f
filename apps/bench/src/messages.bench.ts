import { exchange, type Timing } from './exchange.js';
import { quantile, rounded, type Figure } from './figures.js';
import { openInstallation as open, usualBots as bots, type Installation as Bench } from './installation.js';

/** Webhook to first sign and to final answer at 50 messages a second, messages a second in a closed loop, and memory, beside a model without delay. */
export async function measureMessages(seconds: number): Promise<Figure[]> {
  const bench = await open(bots);
  try {
    for (let warm = 0; warm < 300; warm += 30) await Promise.all(Array.from({ length: 30 }, () => exchange(bench)));
    const timings = await openLoop(bench, 50, seconds);
    const { rate, cpuMs, peakMiB } = await closedLoop(bench, 64, seconds);
    const signs = timings.map(({ firstSignMs }) => firstSignMs);
    const answers = timings.map(({ answerMs }) => answerMs);
    return [
      { name: 'webhook to first sign, 50/s, p50', value: rounded(quantile(signs, 0.5)), unit: 'ms', target: { at: 'most', value: 3 } },
      { name: 'webhook to first sign, 50/s, p99', value: rounded(quantile(signs, 0.99)), unit: 'ms', target: { at: 'most', value: 20 } },
      { name: 'webhook to final answer, 50/s, p50', value: rounded(quantile(answers, 0.5)), unit: 'ms', target: { at: 'most', value: 8 } },
      {
        name: 'webhook to final answer, 50/s, p99',
        value: rounded(quantile(answers, 0.99)),
        unit: 'ms',
        target: { at: 'most', value: 40 },
      },
      { name: 'messages end to end, 64 at once', value: Math.round(rate), unit: 'messages/s', target: { at: 'least', value: 300 } },
      { name: 'processor time a message, 64 at once', value: rounded(cpuMs), unit: 'ms' },
      { name: 'resident memory under load', value: Math.round(peakMiB), unit: 'MiB', target: { at: 'most', value: 350 } },
    ];
  } finally {
    await bench.close();
  }
}

/** Whether memory is flat: the peak in each third of a longer load. Live data is a few dozen MiB; the rest is what V8 lets lie between two collections. */
export async function measureSoak(seconds: number): Promise<Figure[]> {
  const bench = await open(bots);
  try {
    const peaks: number[] = [];
    for (let third = 0; third < 3; third++) peaks.push((await closedLoop(bench, 32, seconds / 3)).peakMiB);
    const [first = Number.NaN, second = Number.NaN, last = Number.NaN] = peaks;
    return [
      { name: 'peak resident memory, first third of a long load', value: Math.round(first), unit: 'MiB' },
      { name: 'peak resident memory, last third', value: Math.round(last), unit: 'MiB', target: { at: 'most', value: 350 } },
      { name: 'last third / second third', value: Math.round((last / second) * 100) / 100, unit: '×', target: { at: 'most', value: 1.1 } },
    ];
  } finally {
    await bench.close();
  }
}

async function openLoop(bench: Bench, perSecond: number, seconds: number): Promise<Timing[]> {
  const running: Promise<Timing>[] = [];
  const began = performance.now();
  for (let n = 0; n < perSecond * seconds; n++) {
    const waitMs = began + (n * 1000) / perSecond - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    running.push(exchange(bench));
  }
  return Promise.all(running);
}

interface Load {
  readonly rate: number;
  /** Of the product, for each message. */
  readonly cpuMs: number;
  readonly peakMiB: number;
}

async function closedLoop(bench: Bench, width: number, seconds: number): Promise<Load> {
  const cpuBefore = await bench.product.cpuMs();
  const began = performance.now();
  const until = began + seconds * 1000;
  let done = 0;
  let peakMiB = 0;
  const sampling = setInterval(() => void bench.product.residentMiB().then((value) => (peakMiB = Math.max(peakMiB, value))), 250);
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (performance.now() < until) {
        await exchange(bench);
        done += 1;
      }
    }),
  );
  clearInterval(sampling);
  const rate = done / ((performance.now() - began) / 1000);
  return { rate, cpuMs: ((await bench.product.cpuMs()) - cpuBefore) / done, peakMiB };
}

/** Process start to ready and to the first reply, and memory idle with one and with a thousand tenants. */
export async function measureStart(runs: number): Promise<Figure[]> {
  const ready: number[] = [];
  const firstReply: number[] = [];
  let idleMiB = Number.NaN;
  for (let run = 0; run < runs; run++) {
    const bench = await open(1);
    try {
      await bench.product.process.kill('SIGTERM');
      const began = performance.now();
      await bench.product.process.start();
      ready.push(performance.now() - began);
      idleMiB = await bench.product.residentMiB();
      await exchange(bench);
      firstReply.push(performance.now() - began);
    } finally {
      await bench.close();
    }
  }
  const thousand = await open(1000);
  try {
    await thousand.product.process.restart('SIGTERM');
    await exchange(thousand);
    const thousandMiB = await thousand.product.residentMiB();
    return [
      { name: 'start to ready', value: Math.round(quantile(ready, 0.5)), unit: 'ms', target: { at: 'most', value: 1500 } },
      { name: 'start to first reply', value: Math.round(quantile(firstReply, 0.5)), unit: 'ms' },
      { name: 'resident memory, idle', value: Math.round(idleMiB), unit: 'MiB', target: { at: 'most', value: 150 } },
      { name: 'resident memory, 1,000 tenants', value: Math.round(thousandMiB), unit: 'MiB', target: { at: 'most', value: 220 } },
    ];
  } finally {
    await thousand.close();
  }
}
