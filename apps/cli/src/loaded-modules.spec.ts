import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startProcess } from '@rockpool/testkit';

const google = /\/(@google-cloud|google-gax|google-auth-library|gaxios|gcp-metadata|@grpc|protobufjs|cloud-google)\//;
const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** Notes every module that is loaded, by import and by require, in the file that LOADED names. */
const witness = `
  import { appendFileSync } from 'node:fs';
  import { registerHooks } from 'node:module';
  registerHooks({ load(url, context, next) { appendFileSync(process.env.LOADED, url + '\\n'); return next(url, context); } });
`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-loaded-'));
  await writeFile(join(folder, 'witness.mjs'), witness);
});
afterEach(() => rm(folder, { recursive: true }));

describe('the built product on the embedded engine', () => {
  it('loads nothing of Google’s, from its start to its end', async () => {
    const loaded = join(folder, 'loaded.txt');
    const rockpool = await startProcess({
      command: process.execPath,
      args: ['--import', join(folder, 'witness.mjs'), main, 'start', '--json'],
      env: { PORT: '0', LOADED: loaded, ROCKPOOL_KEY_FILE: join(folder, 'key'), ROCKPOOL_LOG_LEVEL: 'error' },
      readyLine: /^\{"version"/,
    });
    try {
      const { url } = JSON.parse(rockpool.lines.find((line) => line.startsWith('{"version"'))!) as { url: string };
      expect((await fetch(`${url}/readyz`)).status).toBe(200);
      expect((await fetch(`${url}/chat/demo`)).status).toBe(200);
      expect(await rockpool.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    } finally {
      await rockpool.stop();
    }
    const urls = (await readFile(loaded, 'utf8')).trim().split('\n');
    expect(urls.filter((url) => url.includes('/libs/cloud-embedded/')).length).toBeGreaterThan(10);
    expect(urls.filter((url) => google.test(url))).toEqual([]);
  });
});
