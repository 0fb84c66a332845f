import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GoogleStack, signStandardWebhook, stackApps, whyNoStack } from '@rockpool/testkit';
import type { Bundle } from './bundle.js';
import { allBundled, stayInside } from './bundles.fixture.js';
import { warmCompileCache } from './compile-cache.js';
import { root } from './container-files.fixture.js';

const run = promisify(execFile);
const secret = `whsec_${Buffer.from('a secret of thirty-two bytes ....').toString('base64')}`;

let place: string;
let bundles: readonly Bundle[];
const named = (name: string) => bundles.find(({ image }) => image === name)!;
const main = (name: string) => join(named(name).folder, 'main.js');

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'rockpool-images-'));
  const all = await allBundled();
  // Outside the repository: there is no node_modules above it.
  await cp(all.folder, place, { recursive: true });
  bundles = all.bundles.map((bundle) => ({ ...bundle, folder: join(place, relative(all.folder, bundle.folder)) }));
});

afterAll(() => rm(place, { recursive: true, force: true }));

describe('the image of one app', () => {
  it('comes up and ends where there is no cloud, which is how it gets its compiled code', async () => {
    const kept = await Promise.all(stackApps.map((name) => warmCompileCache(named(name))));
    for (const files of kept) expect(files).toBeGreaterThan(10);
  });

  it.each(stackApps)('is refused an engine that belongs to one process: %s', async (name) => {
    const refusal = run(process.execPath, [...stayInside, main(name)], {
      cwd: '/',
      env: { STAYS_INSIDE: pathToFileURL(`${named(name).folder}/`).href },
    });
    await expect(refusal).rejects.toMatchObject({ code: 78, stderr: expect.stringContaining('ROCKPOOL_ENGINE is embedded') });
  });

  it.each(stackApps)('holds nothing that only development needs: %s', (name) => {
    expect(named(name).packages).toEqual(expect.arrayContaining([`@rockpool/${name}`, '@google-cloud/pubsub', '@google-cloud/firestore']));
    expect(
      named(name).packages.filter((used) =>
        /^(@rockpool\/(testkit|deploy|dev|e2e|bench|cli)|jest|typescript|rolldown|supports-color)/.test(used),
      ),
    ).toEqual([]);
  });

  it.each(stackApps)('reads libraries of clouds and models only when they are needed: %s', (name) => {
    const atStart = named(name)
      .files.filter((file) => file.atStart)
      .flatMap(({ packages }) => Object.keys(packages));
    expect(atStart.filter((used) => /^(@google-cloud\/|google-|@grpc\/|protobufjs$|@ai-sdk\/(?!provider$)|undici$)/.test(used))).toEqual(
      [],
    );
  });
});

const missing = whyNoStack();

(missing === undefined ? describe : describe.skip)(
  `the images of all apps, on Google's emulators${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let stack: GoogleStack;

    beforeAll(async () => {
      const began = performance.now();
      stack = await GoogleStack.start({
        root,
        programs: place,
        copies: 1,
        nodeArgs: stayInside,
        // Whether they end in order is asked here, and not how fast the emulators let them.
        env: { STAYS_INSIDE: pathToFileURL(`${place}/`).href, ROCKPOOL_SHUTDOWN_TIMEOUT_MS: '60000' },
      });
      process.stdout.write(`emulators and bundled apps were ready after ${Math.round(performance.now() - began)} ms\n`);
    });

    afterAll(() => stack?.stop());

    it('answer a signed webhook, of a tenant that the image of the whole product applied', async () => {
      const file = join(place, 'tenants.yaml');
      await writeFile(file, 'tenants: { alice: { channels: { http: { secret: "env://HTTP_SECRET" } } } }');
      const env = {
        ROCKPOOL_ADMIN_TOKEN: stack.environment['ROCKPOOL_ADMIN_TOKEN']!,
        ROCKPOOL_DATA_DIR: join(place, 'none'),
        HTTP_SECRET: secret,
      };
      await run(process.execPath, [main('rockpool'), 'apply', file, '--yes', '--url', stack.apps.console.url], { cwd: '/', env });

      const body = JSON.stringify({ conversation: 'c', from: { id: 'ann' }, text: 'echo hello images' });
      const response = await fetch(`${stack.url}/webhooks/http/alice?wait=30`, {
        method: 'POST',
        ...signStandardWebhook({ secret, id: 'msg_1', body }),
      } as RequestInit);

      expect(response.status).toBe(200);
      expect(JSON.stringify(await response.json())).toContain('hello images');
    });

    it('end with 0 when they are told to', async () => {
      const exits = await Promise.all(stack.processes.map((app) => app.kill('SIGTERM')));
      expect(exits).toEqual(stackApps.map(() => ({ code: 0, signal: null })));
    });
  },
);
