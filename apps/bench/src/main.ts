import { writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { Command } from 'commander';
import { measureAcks } from './acks.bench.js';
import { measureDurability } from './durability.bench.js';
import { measureFairness } from './fairness.bench.js';
import { table, type Figure } from './figures.js';
import { measureGoogle } from './google.bench.js';
import { measureIngress } from './ingress.bench.js';
import { measureJobs } from './jobs.bench.js';
import { measureMessages, measureSoak, measureStart } from './messages.bench.js';
import { measureSchedules } from './schedules.bench.js';
import { measureWaitingJobs } from './waiting-jobs.bench.js';

const benchmarks: Record<string, (short: boolean) => Promise<Figure[]>> = {
  ingress: (short) => measureIngress(short ? 2 : 10),
  messages: (short) => measureMessages(short ? 3 : 20),
  start: (short) => measureStart(short ? 1 : 5),
  soak: (short) => measureSoak(short ? 30 : 180),
  fairness: (short) => measureFairness(short ? 1 : 3, short ? 10 : 20),
  acks: (short) => measureAcks(short ? 20 : 600),
  schedules: (short) => measureSchedules(short ? 120 : 600, short ? 12 : 60),
  jobs: (short) => measureJobs(short ? 200 : 1_000),
  'waiting-jobs': (short) => measureWaitingJobs(short ? 1_000 : 10_000),
  durability: (short) => measureDurability(short ? 3 : 15),
};

/** What the Google engine is measured by. */
const googleBenchmarks: typeof benchmarks = { messages: (short) => measureGoogle(short ? 30 : 150) };

const program = new Command('bench')
  .description(
    'Measures the built product on this machine, beside simulators on loopback. Compare ratios of one run; absolute times are the machine’s.',
  )
  .argument('[names...]', `what to measure: ${Object.keys(benchmarks).join(', ')} (all)`)
  .option(
    '--engine <engine>',
    'embedded, or google: on the emulators, beside the embedded engine and beside Google’s own clients',
    'embedded',
  )
  .option('--short', 'a quick look: fewer seconds and runs')
  .option('--json [file]', 'print JSON, or write it to a file beside the table')
  .parse();

const options = program.opts<{ engine: string; short?: boolean; json?: string | true }>();
if (options.engine !== 'embedded' && options.engine !== 'google') program.error('--engine is embedded or google');
const known = options.engine === 'google' ? googleBenchmarks : benchmarks;
const names = program.args.length > 0 ? program.args : Object.keys(known);
const unknown = names.filter((name) => !(name in known));
if (unknown.length > 0) program.error(`there is no benchmark ${unknown.join(', ')}; there are ${Object.keys(known).join(', ')}`);

const results: Record<string, Figure[]> = {};
for (const name of names) {
  process.stderr.write(`measuring ${name} …\n`);
  results[name] = await known[name]!(options.short ?? false);
}
const machine = { node: process.version, cpus: cpus().length, model: cpus()[0]?.model, memoryGiB: Math.round(totalmem() / 2 ** 30) };
const report = JSON.stringify({ at: new Date().toISOString(), short: options.short ?? false, machine, results }, null, 2);
if (options.json === true) process.stdout.write(`${report}\n`);
else {
  if (options.json) await writeFile(options.json, `${report}\n`);
  process.stdout.write(`${table(Object.values(results).flat())}\n`);
}
