import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, signStandardWebhook, startProcess, type RunningProcess } from '@rockpool/testkit';
import type { Bundle } from './bundle.js';
import { bundled, stayInside } from './bundles.fixture.js';
import { compileCacheFolder } from './compile-cache.js';
import { root } from './container-files.fixture.js';

const run = promisify(execFile);
const secret = `whsec_${Buffer.from('a secret of thirty-two bytes ....').toString('base64')}`;

describe('the image of the whole product', () => {
  let place: string;
  let bundle: Bundle;
  let product: RunningProcess;
  let url: string;
  /** Modes of the files with compiled code, before a start adds to them. */
  let compiled: number[];
  let environment: Record<string, string>;
  const main = () => join(bundle.folder, 'main.js');

  beforeAll(async () => {
    // Outside the repository: there is no node_modules above it.
    place = await mkdtemp(join(tmpdir(), 'rockpool-image-'));
    bundle = await bundled('rockpool', join(place, 'app'), '--warm');
    const kept = await readdir(join(bundle.folder, compileCacheFolder), { recursive: true, withFileTypes: true });
    compiled = await Promise.all(
      kept.filter((entry) => entry.isFile()).map(async (entry) => (await stat(join(entry.parentPath, entry.name))).mode),
    );
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    environment = {
      PORT: String(port),
      ROCKPOOL_DATA_DIR: join(place, 'data'),
      ROCKPOOL_KEY_FILE: join(place, 'keys', 'master.key'),
      ROCKPOOL_LOG_FORMAT: 'json',
      NODE_COMPILE_CACHE: join(bundle.folder, compileCacheFolder),
      NODE_COMPILE_CACHE_PORTABLE: '1',
      STAYS_INSIDE: pathToFileURL(`${bundle.folder}/`).href,
    };
    const began = performance.now();
    product = await startProcess({
      command: process.execPath,
      args: [...stayInside, main()],
      cwd: place,
      env: environment,
      dataDir: environment['ROCKPOOL_DATA_DIR']!,
      readyUrl: `${url}/readyz`,
    });
    process.stdout.write(`the bundled product was ready after ${Math.round(performance.now() - began)} ms\n`);
  });

  afterAll(async () => {
    await product?.stop();
    await rm(place, { recursive: true, force: true });
  });

  it('answers a signed webhook, with what its other commands applied', async () => {
    const file = join(place, 'tenants.yaml');
    await writeFile(file, 'tenants: { alice: { channels: { http: { secret: "env://HTTP_SECRET" }, web: { access: public } } } }');
    await run(process.execPath, [main(), 'apply', file, '--yes'], { cwd: place, env: { ...environment, HTTP_SECRET: secret } });

    const body = JSON.stringify({ conversation: 'c', from: { id: 'ann' }, text: 'echo hello image' });
    const response = await fetch(`${url}/webhooks/http/alice?wait=20`, {
      method: 'POST',
      ...signStandardWebhook({ secret, id: 'msg_1', body }),
    } as RequestInit);

    expect(response.status).toBe(200);
    expect(JSON.stringify(await response.json())).toContain('hello image');
  });

  it('serves the files that its modules read from beside themselves', async () => {
    const page = await (await fetch(`${url}/chat/alice`)).text();
    const script = /\/chat-assets\/chat\.js\?v=\w+/.exec(page)?.[0];
    expect((await fetch(`${url}${script}`)).status).toBe(200);
  });

  it('says its version', async () => {
    const { stdout } = await run(process.execPath, [main(), '--version'], { cwd: place });
    const { version } = JSON.parse(await readFile(join(root, 'apps/cli/package.json'), 'utf8')) as { version: string };
    expect(stdout.trim()).toBe(version);
  });

  it('holds nothing that only development needs', () => {
    const development =
      /^(@rockpool\/(testkit|deploy|dev|e2e|bench)|@types\/|@jest\/|jest|typescript|@swc\/|eslint|prettier|nx|@nx\/|knip|rolldown|fast-check|autocannon)/;
    expect(bundle.packages).toContain('@rockpool/ingress');
    expect(bundle.packages.filter((name) => development.test(name))).toEqual([]);
  });

  it('loads no cloud, model or browser library when it starts', () => {
    const atStart = bundle.files.filter((file) => file.atStart).flatMap(({ packages }) => Object.keys(packages));
    expect(atStart.filter((name) => /^(@google-cloud\/|google-|@grpc\/|@ai-sdk\/|undici$|@clack\/)/.test(name))).toEqual([]);
  });

  it('carries the code that Node compiled, for every user to read', () => {
    expect(compiled.length).toBeGreaterThan(10);
    for (const mode of compiled) expect(mode & 0o444).toBe(0o444);
  });

  it('keeps what Node compiled once it listens, so that a start after a kill is as quick as any', async () => {
    const cache = join(place, 'compiled');
    const port = await freePort();
    const other = await startProcess({
      command: process.execPath,
      args: [main()],
      cwd: place,
      env: { PORT: String(port), ROCKPOOL_KEY_FILE: join(place, 'other-keys', 'master.key'), NODE_COMPILE_CACHE: cache },
      readyUrl: `http://127.0.0.1:${port}/readyz`,
    });
    await other.stop();
    const kept = await readdir(cache, { recursive: true, withFileTypes: true });
    expect(kept.filter((entry) => entry.isFile()).length).toBeGreaterThan(10);
  });

  it('carries the licences of what is in it', async () => {
    const licences = await readFile(join(bundle.folder, 'LICENSES.txt'), 'utf8');
    expect(licences).toMatch(/^@nestjs\/core$/m);
    expect(licences).toMatch(/^fastify$/m);
  });

  it('ends with 0 when it is told to', async () => {
    expect(await product.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});
