import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleImage, type Bundle } from './bundle.js';
import { cloudUnavailable, compileCacheFolder, startsWithoutCloud, warmCompileCache } from './compile-cache.js';
import { images } from './images.js';
import { runProgram, type ProgramRun } from './started-program.js';

const root = fileURLToPath(new URL('../../../..', import.meta.url));

const usage = `Usage: node tools/deploy/dist/images/measure.js [<app> …] [--runs <count>] [--as-given]

Bundles each app and starts it again and again, with and without its compiled code. Prints JSON: sizes in KiB, times in milliseconds
from the start of the process until it takes requests, and processor time until then. Build first: npm run build

  <app>           ${images.map(({ name }) => name).join(', ')} (all)
  --runs <count>  starts of each kind (9)
  --as-given      start with this process's own environment, which leads to emulators or the cloud; without it, every address of the
                  cloud leads nowhere, so that what is measured is the program and not what it waits for
`;

/** Times of several starts. */
interface Times {
  readonly min: number;
  readonly median: number;
  readonly runs: readonly number[];
}

interface Starts {
  readonly readyMs: Times;
  /** Absent off Linux. */
  readonly processorMs?: Times;
}

/** What is told of one image. */
interface Measured {
  readonly image: string;
  readonly bundleKib: number;
  readonly readAtStartKib: number;
  readonly sourceMapsKib: number;
  readonly compiledKib: number;
  readonly fromSource?: Starts;
  readonly withCompiledCode?: Starts;
  /** Why there are no times: it asks the cloud before it is up. */
  readonly notStarted?: string;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '9' },
    'as-given': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const runs = Number(values.runs);
const chosen = positionals.length === 0 ? images : images.filter(({ name }) => positionals.includes(name));

if (values.help) process.stdout.write(usage);
else if (!Number.isInteger(runs) || runs < 1 || chosen.length < new Set(positionals).size) {
  process.stderr.write(usage);
  process.exitCode = 64;
} else {
  const measured: Measured[] = [];
  for (const image of chosen) {
    const folder = mkdtempSync(join(tmpdir(), 'rockpool-measured-'));
    try {
      process.stderr.write(`measuring ${image.name} …\n`);
      const bundle = await bundleImage(image, { root, folder });
      await warmCompileCache(bundle);
      measured.push(await measure(bundle));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  const machine = { node: process.version, cpus: cpus().length, model: cpus()[0]?.model, loadAverage: loadavg()[0] };
  process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), machine, images: measured }, null, 2)}\n`);
}

async function measure(bundle: Bundle): Promise<Measured> {
  const cache = join(bundle.folder, compileCacheFolder);
  const sizeOf = (end: string) => kib(filesBelow(bundle.folder).filter((file) => file.endsWith(end)));
  const sizes = {
    image: bundle.image,
    bundleKib: Math.round(bundle.bytes / 1024),
    readAtStartKib: Math.round(bundle.bytesAtStart / 1024),
    sourceMapsKib: sizeOf('.map'),
    compiledKib: kib(filesBelow(cache)),
  };
  const first = await start(bundle, {});
  if (first.readyMs === undefined) return { ...sizes, notStarted: first.output.trim().split('\n').at(-1)! };
  const plain: ProgramRun[] = [];
  const compiled: ProgramRun[] = [];
  // Turn about, so that what else the machine does falls on both alike.
  for (let index = 0; index < runs; index++) {
    plain.push(await start(bundle, {}));
    compiled.push(await start(bundle, { NODE_COMPILE_CACHE: cache, NODE_COMPILE_CACHE_PORTABLE: '1' }));
  }
  return {
    ...sizes,
    fromSource: startsOf(plain),
    withCompiledCode: startsOf(compiled),
  };
}

async function start({ image, folder }: Bundle, environment: Readonly<Record<string, string>>): Promise<ProgramRun> {
  const given = values['as-given'] ? definedOf(process.env) : startsWithoutCloud(image);
  const run = await runProgram({ folder, environment: { ...given, PORT: '0', ...environment } });
  if (run.exitCode !== 0 && run.exitCode !== cloudUnavailable)
    throw new Error(`${image} ended with ${run.exitCode}; it printed:\n${run.output}`);
  return run;
}

function startsOf(programs: readonly ProgramRun[]): Starts {
  const processor = programs.flatMap(({ readyCpuMs }) => readyCpuMs ?? []);
  return { readyMs: times(programs.map(({ readyMs }) => readyMs!)), ...(processor.length > 0 && { processorMs: times(processor) }) };
}

function definedOf(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function times(values: readonly number[]): Times {
  const sorted = values.map(Math.round).sort((one, other) => one - other);
  return { min: sorted[0]!, median: sorted[Math.floor(sorted.length / 2)]!, runs: sorted };
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function kib(files: readonly string[]): number {
  return Math.round(files.reduce((total, file) => total + statSync(file).size, 0) / 1024);
}
