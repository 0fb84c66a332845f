import { Installation } from '../installation.js';
import { sendForgeries } from './forgery-run.js';
import { residentMiB } from './memory.js';

/** Runs forgeries over HTTP against an installation of its own and prints what became of them as one line of JSON. Resolves with the exit code. */
export async function forgeOverHttp({ count, seed }: { count: number; seed: number }): Promise<number> {
  const rockpool = await Installation.open();
  try {
    const { pid } = rockpool.product;
    process.stderr.write(`forging ${count} requests over HTTP, seed ${seed}\n`);
    // Warm: what the first requests load is no cost of the attack.
    await sendForgeries(rockpool.url, { count: 20_000, seed: -seed, firstUpdateId: 1_000_000_000 });
    const before = await residentMiB(pid);
    const startedAt = performance.now();
    const report = await sendForgeries(rockpool.url, { count, seed, firstUpdateId: 1 });
    const rows = await rockpool.inbox({ limit: '1000' });
    const strangers = rows.filter((row) => row.tenantId !== 'dave');
    const alive = rockpool.product.pid === pid && (await fetch(`${rockpool.url}/readyz`)).ok;
    const residentGrowthMiB = (await residentMiB(pid)) - before;
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    const { failures, ...counts } = report;
    const inInbox = strangers.length;
    process.stdout.write(
      `${JSON.stringify({ ...counts, acceptedOrFailed: failures.length, inInbox, alive, residentGrowthMiB, seconds })}\n`,
    );
    for (const failure of failures.slice(0, 20)) process.stderr.write(`${failure}\n`);
    const good = failures.length === 0 && inInbox === 0 && alive && report.genuine.accepted === report.genuine.sent;
    return good ? 0 : 1;
  } finally {
    await rockpool.close();
  }
}
