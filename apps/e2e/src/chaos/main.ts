import { writeFile } from 'node:fs/promises';
import { parseOptions, usage, type ChaosOptions } from './options.js';
import { tableOf } from './report.js';
import { runChaos, type ChaosProgress } from './run.js';

const out = (text: string) => process.stdout.write(text);
const err = (text: string) => process.stderr.write(text);

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let parsed;
  try {
    parsed = parseOptions(args);
  } catch (error) {
    err(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (parsed.help) {
    out(usage);
    return 0;
  }
  const { options, json, log } = parsed;
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort(new Error(`stopped by ${signal}`)));
  err(`seed ${options.seed}: ${options.messages} messages, ${options.kills} kills, ${options.terms} terminations\n`);
  try {
    const result = await runChaos(options, {
      signal: stopped.signal,
      onProgress: progressLine(options),
      ...(log !== undefined && { log }),
    });
    if (process.stderr.isTTY) err('\r\x1b[K');
    out(tableOf(result));
    if (json !== undefined) await writeFile(json, `${JSON.stringify(result, undefined, 2)}\n`);
    return result.ok ? 0 : 1;
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
    err('\nstopped; everything that was started has been ended\n');
    return 130;
  }
}

/** One line that is rewritten in a terminal; elsewhere a line every ten seconds. */
function progressLine(options: ChaosOptions): (progress: ChaosProgress) => void {
  let ticks = 0;
  return ({ sent, answered, kills, terms }) => {
    const line = `sent ${sent}/${options.messages}, answered ${answered}, kills ${kills}/${options.kills}, terminations ${terms}/${options.terms}`;
    if (process.stderr.isTTY) err(`\r\x1b[K${line}`);
    else if (ticks++ % 10 === 9) err(`${line}\n`);
  };
}
