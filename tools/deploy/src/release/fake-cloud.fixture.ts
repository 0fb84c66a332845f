import { once } from 'node:events';
import { readFileSync, watch, writeFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

/** One revision's share of a service, as gcloud tells of it. */
interface FakeTraffic {
  revisionName: string;
  percent?: number;
  tag?: string;
  url?: string;
}

/** What the fake cloud knows. The fake programs read and write it as one file. */
interface FakeState {
  account: string;
  project: string;
  services: Record<string, { app: string; url: string; traffic: FakeTraffic[] }>;
  /** Address of every tag. */
  candidateUrl: string;
  /** Images that the registry has. */
  images: string[];
  /** Revisions whose startup probe failed. */
  sick: string[];
  /** A command whose line contains this text fails, with this message, so many times. */
  failures: { match: string; message: string; times: number }[];
  /** A command whose line contains this text does not end by itself. */
  hang?: string;
}

/** A machine with `gcloud`, `docker` and `git` on its PATH, and nothing behind them but a file; and public services on a loopback port. */
export interface FakeCloud {
  readonly env: NodeJS.ProcessEnv;
  /** Command lines in the order they were run. */
  calls(): string[];
  state(): FakeState;
  change(change: (state: FakeState) => void): void;
  /** What `/readyz` of a public service answers: at the address of a revision's tag, and at its own. */
  readonly answers: { candidate: number; live: number };
  /** Resolves once a command whose line contains this text has been run. */
  called(text: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * The fake programs. `gcloud run deploy` refuses what the real one does: a service that is not there is made with the default of letting nobody in, so it fails here;
 * traffic is only ever moved to revisions that exist.
 */
const program = `#!${process.execPath}
const { appendFileSync, readFileSync, writeFileSync } = require('node:fs');
const { basename } = require('node:path');
const folder = process.env.FAKE_CLOUD;
const args = process.argv.slice(2);
const line = [basename(process.argv[1]), ...args].join(' ');
const path = folder + '/state.json';
const state = JSON.parse(readFileSync(path, 'utf8'));
const save = () => writeFileSync(path, JSON.stringify(state));
const fail = (message, code = 1) => { process.stderr.write(message + '\\n'); process.exit(code); };
const option = (name) => args.find((arg) => arg.startsWith('--' + name + '='))?.slice(name.length + 3);
appendFileSync(folder + '/calls', line + '\\n');
const failure = state.failures.find(({ match, times }) => times > 0 && line.includes(match));
if (failure) { failure.times -= 1; save(); fail(failure.message); }
if (state.hang && line.includes(state.hang)) { process.on('SIGINT', () => process.exit(130)); setInterval(() => {}, 1000); } else main();

function print(value) { process.stdout.write(JSON.stringify(value)); }
function serviceOf(name) { return state.services[name] ?? fail('ERROR: Cannot find service [' + name + ']'); }
function shown(name) { return { metadata: { name }, status: { url: serviceOf(name).url, traffic: serviceOf(name).traffic } }; }

function main() {
  if (line.startsWith('git rev-parse')) return process.stdout.write('abcdef123456\\n');
  if (line.startsWith('git status')) return;
  if (line.startsWith('docker build')) { process.stdout.write('step 1 of 1\\n'); return; }
  if (line.startsWith('docker push')) { state.images.push(args[1]); return save(); }
  if (line.startsWith('gcloud auth list')) return process.stdout.write(state.account + '\\n');
  if (line.startsWith('gcloud auth configure-docker')) return;
  if (line.startsWith('gcloud config get-value project')) return process.stdout.write(state.project + '\\n');
  if (line.startsWith('gcloud artifacts docker images describe')) return state.images.includes(args[4]) ? print({}) : fail('ERROR: NOT_FOUND: image');
  if (option('project') === undefined || option('region') === undefined) fail('ERROR: no project or region', 2);
  if (line.startsWith('gcloud run services list')) {
    const app = option('filter').split('=')[1];
    return print(Object.keys(state.services).filter((name) => state.services[name].app === app).map(shown));
  }
  if (line.startsWith('gcloud run services describe')) return print(shown(args[3]));
  if (line.startsWith('gcloud run revisions describe')) {
    const isSick = state.sick.includes(args[3]);
    return print({ status: { conditions: [{ type: 'Ready', status: isSick ? 'False' : 'True', message: isSick ? 'the probe failed' : undefined }] } });
  }
  if (line.startsWith('gcloud run deploy')) {
    const service = serviceOf(args[2]);
    if (!args.includes('--no-traffic') || !option('image') || !state.images.includes(option('image'))) fail('ERROR: image not found');
    const revisionName = args[2] + '-0000' + (service.traffic.length + 1);
    service.traffic.push({ revisionName, tag: option('tag'), url: state.candidateUrl });
    save();
    return print({});
  }
  if (line.startsWith('gcloud run services update-traffic')) {
    const service = serviceOf(args[3]);
    const remove = option('remove-tags');
    if (remove) service.traffic = service.traffic.filter((entry) => entry.percent || entry.tag !== remove).map((entry) => (entry.tag === remove ? { ...entry, tag: undefined, url: undefined } : entry));
    const shares = option('to-revisions');
    if (shares) {
      const wanted = Object.fromEntries(shares.split(',').map((share) => share.split('=')));
      const known = service.traffic.map(({ revisionName }) => revisionName);
      for (const name of Object.keys(wanted)) if (!known.includes(name)) fail('ERROR: no revision ' + name);
      service.traffic = service.traffic.map((entry) => ({ ...entry, percent: wanted[entry.revisionName] === undefined ? undefined : Number(wanted[entry.revisionName]) }));
    }
    save();
    return print({});
  }
  fail('the fake does not know: ' + line, 2);
}
`;

/** Starts it with the services that Terraform makes, each at its first revision, and a dedicated tenant's host. */
export async function startFakeCloud(): Promise<FakeCloud> {
  const folder = await mkdtemp(join(tmpdir(), 'rockpool-fake-cloud-'));
  const bin = join(folder, 'bin');
  await mkdir(bin);
  for (const name of ['gcloud', 'docker', 'git']) {
    await writeFile(join(bin, name), program);
    await chmod(join(bin, name), 0o755);
  }
  await writeFile(join(folder, 'calls'), '');
  const answers = { candidate: 200, live: 200 };
  const [candidate, live] = await Promise.all([startService(() => answers.candidate), startService(() => answers.live)]);
  const statePath = join(folder, 'state.json');
  const service = (name: string, app = name) => ({ app, url: live.url, traffic: [{ revisionName: `${name}-00001`, percent: 100 }] });
  const state: FakeState = {
    account: 'somebody@example.com',
    project: 'project-of-gcloud',
    services: {
      ingress: service('ingress'),
      'agent-host': service('agent-host'),
      'host-alice': service('host-alice', 'agent-host'),
    },
    candidateUrl: candidate.url,
    images: [],
    sick: [],
    failures: [],
  };
  writeFileSync(statePath, JSON.stringify(state));
  const calls = () => readFileSync(join(folder, 'calls'), 'utf8').split('\n').filter(Boolean);
  const stateNow = () => JSON.parse(readFileSync(statePath, 'utf8')) as FakeState;
  return {
    env: { PATH: [bin, dirname(process.execPath)].join(delimiter), FAKE_CLOUD: folder },
    calls,
    state: stateNow,
    change(change) {
      const changed = stateNow();
      change(changed);
      writeFileSync(statePath, JSON.stringify(changed));
    },
    answers,
    async called(text) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = () => calls().some((line) => line.includes(text)) && resolve();
      const watcher = watch(folder, look);
      look();
      await promise;
      watcher.close();
    },
    async stop() {
      candidate.stop();
      live.stop();
      await rm(folder, { recursive: true });
    },
  };
}

async function startService(status: () => number): Promise<{ url: string; stop(): void }> {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/readyz' ? status() : 404;
    response.end(JSON.stringify({ status: response.statusCode === 200 ? 'ready' : 'not ready' }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
