import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { cpSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { blobsContract, eventually } from '@rockpool/cloud/testing';
import { codeOf } from '@rockpool/contracts';
import { Database } from './database.js';
import { EncryptedSecrets } from './encrypted-secrets.js';
import { FileBlobs } from './file-blobs.js';

const key = 'alice/files/report.txt';

let folder: string;
let database: Database;
let secrets: EncryptedSecrets;
let blobs: FileBlobs;
let server: Server;
let now: number;

/** An engine over a data folder. Several may be open on copies of one. */
async function openAt(data: string): Promise<{ database: Database; secrets: EncryptedSecrets; blobs: FileBlobs }> {
  const file = Database.open(join(data, 'rockpool.db'), { synchronous: 'OFF' });
  const vault = await EncryptedSecrets.open(file, { keyFile: join(folder, 'keys', 'master.key') });
  const baseUrl = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const opened = await FileBlobs.open(file, { folder: join(data, 'blobs'), secrets: vault, baseUrl, now: () => now });
  return { database: file, secrets: vault, blobs: opened };
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-blobs-'));
  now = Date.parse('2026-03-01T12:00:00Z');
  server = createServer((request, response) => {
    blobs
      .verifySignedUrl(request.url!)
      .then((name) => blobs.get(name))
      .then(({ content }) => pipeline(content, response))
      .catch((error: unknown) => {
        // A client that left in the middle has nobody to answer.
        if (!response.headersSent) response.writeHead(codeOf(error) === 'unauthenticated' ? 401 : 404).end();
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const data = join(folder, 'data');
  await mkdir(data);
  ({ database, secrets, blobs } = await openAt(data));
});
afterEach(async () => {
  await database.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

blobsContract('FileBlobs', async () => ({
  blobs,
  advance: (milliseconds) => void (now += milliseconds),
  close: async () => undefined,
}));

/** Every file below the blobs folder. */
async function files(data = join(folder, 'data')): Promise<string[]> {
  const entries = await readdir(join(data, 'blobs'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe('the blobs folder', () => {
  it('holds one file for each blob, and none for what was replaced, deleted or refused', async () => {
    await blobs.put(key, Buffer.from('one'));
    const { generation } = await blobs.put(key, Buffer.from('two'));
    await blobs.put(key, Buffer.from('three'), { ifGeneration: 'stale' }).catch(codeOf);
    await blobs.put(key, Readable.from([Buffer.from('four'), 4])).catch(codeOf);
    expect(await files()).toHaveLength(1);
    await blobs.delete(key, { ifGeneration: generation });
    expect(await files()).toEqual([]);
  });

  it('shows nothing of the keys in its file names, and lets nobody else in', async () => {
    await blobs.put('alice/CON', Buffer.from('x'));
    const [file] = await files();
    expect(file).toMatch(/\/content\/[0-9a-f]{2}\/[0-9a-f-]{36}$/);
    expect((await stat(file!)).mode & 0o777).toBe(0o600);
  });

  it('says so when somebody removed a file from it', async () => {
    await blobs.put(key, Buffer.from('x'));
    for (const file of await files()) await rm(file);
    await expect(blobs.get(key)).rejects.toThrow(`the content of blob ${key} is missing`);
    await blobs.put(key, Buffer.from('again'));
    expect(await text((await blobs.get(key)).content)).toBe('again');
  });
});

describe('after a kill', () => {
  /** What the next start finds when the process dies at this instant: the kernel's view of the data folder. */
  async function killed(): Promise<Awaited<ReturnType<typeof openAt>> & { data: string }> {
    const data = join(folder, 'after-kill');
    cpSync(join(folder, 'data'), data, { recursive: true });
    return { ...(await openAt(data)), data };
  }

  it('every blob that was acknowledged is there, whole', async () => {
    const puts = await Promise.all(Array.from({ length: 50 }, (_, index) => blobs.put(`alice/${index}`, Buffer.from(`content ${index}`))));
    const survivor = await killed();
    for (const [index, info] of puts.entries()) {
      const found = await survivor.blobs.get(`alice/${index}`);
      expect(found.info).toEqual(info);
      expect(await text(found.content)).toBe(`content ${index}`);
    }
    await survivor.database.close();
  });

  it('in the middle of a write the old content stands with its own size, type and generation', async () => {
    const before = await blobs.put(key, Buffer.from('old'), { contentType: 'text/plain' });
    const upload = new PassThrough();
    const writing = blobs.put(key, upload, { contentType: 'image/png' });
    upload.write('half of the new');
    await eventually('the upload has begun', async () => (await files()).length === 2);
    const survivor = await killed();
    expect(await survivor.blobs.head(key)).toEqual(before);
    expect(await text((await survivor.blobs.get(key)).content)).toBe('old');
    await survivor.database.close();
    upload.end();
    await writing;
  });

  it('what it left behind is swept, once it is old enough to be nobody’s', async () => {
    await blobs.put(key, Buffer.from('kept'));
    const upload = new PassThrough();
    const writing = blobs.put('alice/other', upload);
    upload.write('half');
    await eventually('the upload has begun', async () => (await files()).length === 2);
    const survivor = await killed();
    await writeFile(join(survivor.data, 'blobs', 'content', 'orphan'), 'renamed, but its row was never written');
    expect(await survivor.blobs.sweep()).toBe(0);
    const twoHoursAgo = new Date(Date.now() - 7_200_000);
    for (const file of await files(survivor.data)) await utimes(file, twoHoursAgo, twoHoursAgo);
    expect(await survivor.blobs.sweep()).toBe(2);
    expect(await files(survivor.data)).toHaveLength(1);
    expect(await text((await survivor.blobs.get(key)).content)).toBe('kept');
    await survivor.database.close();
    upload.end();
    await writing;
  });

  it('a generation is not given again', async () => {
    const { generation } = await blobs.put(key, Buffer.from('x'));
    await blobs.delete(key);
    const survivor = await killed();
    expect((await survivor.blobs.put(key, Buffer.from('x'))).generation).not.toBe(generation);
    await survivor.database.close();
  });
});

describe('a signed URL', () => {
  const refused = (url: string) => expect(blobs.verifySignedUrl(url).then(String, codeOf)).resolves.toBe('unauthenticated');

  it('is verified as a server sees it: by path and query', async () => {
    const url = new URL(await blobs.signedUrl(key, { expiresInMs: 1000 }));
    expect(url.pathname).toBe(`/blobs/${key}`);
    expect(await blobs.verifySignedUrl(url.pathname + url.search)).toBe(key);
  });

  it('survives a restart', async () => {
    const url = await blobs.signedUrl(key, { expiresInMs: 1000 });
    await database.close();
    ({ database, secrets, blobs } = await openAt(join(folder, 'data')));
    expect(await blobs.verifySignedUrl(url)).toBe(key);
  });

  it('works on while its key is rotated, and no longer once the old key is disabled', async () => {
    const url = await blobs.signedUrl(key, { expiresInMs: 1000 });
    const name = { tenant: 'platform', field: 'blob-url-key' };
    await secrets.put(name, 'another-key');
    expect(await blobs.verifySignedUrl(url)).toBe(key);
    await secrets.disable(name, 1);
    await refused(url);
    expect(await blobs.verifySignedUrl(await blobs.signedUrl(key, { expiresInMs: 1000 }))).toBe(key);
  });

  it('is refused when it says anything twice, or what no signer says', async () => {
    const url = await blobs.signedUrl(key, { expiresInMs: 1000 });
    const { searchParams } = new URL(url);
    for (const [name, value] of searchParams) await refused(`${url}&${name}=${value}`);
    await refused(url.replace(/expires=[0-9]+/, 'expires=Infinity'));
    await refused(url.replace(/expires=[0-9]+/, 'expires=1e99'));
    await refused(url.replace('/blobs/', '/files/'));
    await refused(url.replace('report.txt', '%ff'));
    for (const garbage of ['', '/', '/blobs/', '/blobs/x?expires=1&signature=', 'http://', '/blobs/%', '\u0000']) await refused(garbage);
  });

  it('is refused before the first one was ever signed', async () => {
    await refused(`/blobs/${key}?expires=99999999999999&signature=${Buffer.alloc(32).toString('base64url')}`);
    expect(await secrets.list('platform')).toEqual([]);
  });
});
