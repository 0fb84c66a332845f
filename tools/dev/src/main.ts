import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GoogleStack, stackApps, whyNoStack, type StackApp } from '@rockpool/testkit';
import { Command, InvalidArgumentError } from 'commander';
import { followBuilds } from './follow-builds.js';
import { PrefixedLines } from './prefixed-lines.js';
import { restartAll } from './restart-all.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
/** sysexits.h */
const exitUnavailable = 69;
/** What an app is given to end in order, as on Cloud Run. */
const patienceMs = 10_000;

const demo = `tenants:
  demo:
    displayName: Rockpool demo
    channels: { web: { access: public } }
`;

interface Options {
  readonly port: number;
  readonly consolePort: number;
  readonly copies: number;
  readonly watch: boolean;
  readonly tenants?: string;
}

const program = new Command('dev:emulators')
  .description(
    'Runs the platform as on Google Cloud, each app a process of its own, on the official emulators of Pub/Sub and Firestore. Nothing of it is kept.',
  )
  .option('--port <port>', 'where the ingress answers', port, 8080)
  .option('--console-port <port>', 'where the console answers', port, 8081)
  .option('--copies <n>', 'processes of each app', copies, 1)
  .option('--tenants <file>', 'tenants.yaml to apply; a demo tenant when absent')
  .option('--no-watch', 'do not build and restart when a source changes')
  .addHelpText(
    'after',
    '\nExamples:\n  npm run dev:emulators\n  npm run dev:emulators -- --copies 2 --tenants tenants.yaml\n\nNode arguments and settings of the apps (model keys, ROCKPOOL_LOG_LEVEL …) are taken from the environment.',
  )
  .action(async (options: Options) => {
    process.exitCode = await run(options);
  });

await program.parseAsync();

async function run(options: Options): Promise<number> {
  const missing = whyNoStack();
  if (missing !== undefined) {
    say(`The emulators cannot be started: ${missing}.`);
    say('They need Java 11 or newer and the Google Cloud CLI: gcloud components install pubsub-emulator cloud-firestore-emulator');
    say('Or run everything in containers: docker compose up');
    return exitUnavailable;
  }
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stopped.abort());

  say('Starting the emulators and the apps …');
  const lines = new PrefixedLines(stackApps, options.copies, (text) => process.stdout.write(text));
  const stack = await GoogleStack.start({
    root,
    copies: options.copies,
    env: settingsFrom(process.env),
    ports: { ingress: options.port, console: options.consolePort },
    onLine: (app: StackApp, copy: number, line: string) => lines.print(app, copy, line),
  });
  let builder: ChildProcess | undefined;
  try {
    await applyTenants(stack, options.tenants);
    say(`Chat: ${stack.url}/chat/demo`);
    say(`Console: ROCKPOOL_ADMIN_TOKEN=${stack.environment['ROCKPOOL_ADMIN_TOKEN']} npx rockpool tenants --url ${stack.apps.console.url}`);
    if (options.watch) builder = followBuilds(root, stopped.signal, say, () => restartAll(stack, say, stopped.signal));
    say('Ctrl-C ends everything.');
    if (!stopped.signal.aborted)
      await new Promise<void>((resolve) => stopped.signal.addEventListener('abort', () => resolve(), { once: true }));
    say('Ending the apps …');
    await endInOrder(stack);
    return 0;
  } finally {
    builder?.kill();
    await stack.stop();
  }
}

/** As Cloud Run does it: SIGTERM, and ten seconds. */
async function endInOrder(stack: GoogleStack): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, patienceMs)));
  await Promise.race([Promise.all(stack.processes.map((app) => app.kill('SIGTERM'))), late]);
  clearTimeout(timer);
}

async function applyTenants(stack: GoogleStack, given: string | undefined): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rockpool-dev-'));
  try {
    const file = given ?? join(folder, 'tenants.yaml');
    if (given === undefined) await writeFile(file, demo);
    const child = spawn(process.execPath, [join(root, 'apps/cli/bin/rockpool.mjs'), 'apply', file, '--yes'], {
      env: { ...process.env, ...stack.environment },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`${file} could not be applied`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a developer sets for the apps; where they find each other is ours to say. */
function settingsFrom(environment: NodeJS.ProcessEnv): Record<string, string> {
  const theirs = /^(ROCKPOOL_|OTEL_|ANTHROPIC_API_KEY$|OPENAI_|GEMINI_API_KEY$)/;
  const ours = /^ROCKPOOL_(ENGINE|.*_(URL|ENDPOINT)|BUCKET|REGION|DATA_DIR|HOST|ADMIN_TOKEN|CREATE_TOPOLOGY|BUS_DELIVERY)$/;
  const channelApis = /^ROCKPOOL_(TELEGRAM|SLACK)_API_URL$/;
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && theirs.test(entry[0]) && (channelApis.test(entry[0]) || !ours.test(entry[0])),
    ),
  );
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function port(value: string): number {
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535)
    throw new InvalidArgumentError('It has to be a port, 0 to 65535; 0 takes a free one.');
  return Number(value);
}

function copies(value: string): number {
  if (!/^[1-9]$/.test(value)) throw new InvalidArgumentError('It has to be 1 to 9.');
  return Number(value);
}
