import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startStorageFake, type StorageFake } from './storage-fake.js';

let fake: StorageFake;
beforeEach(async () => {
  fake = await startStorageFake();
  await fetch(`${fake.url}/storage/v1/b?project=my-project`, { method: 'POST', body: JSON.stringify({ name: 'my-bucket' }) });
});
afterEach(() => fake.stop());

/** A multipart upload as the JSON API takes it. */
function upload(name: string, content: string, { query = '', metadata = {} as object, bucket = 'my-bucket' } = {}): Promise<Response> {
  const part = (type: string, body: string) => `--cut\r\nContent-Type: ${type}\r\n\r\n${body}\r\n`;
  return fetch(`${fake.url}/upload/storage/v1/b/${bucket}/o?uploadType=multipart&name=${encodeURIComponent(name)}${query}`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/related; boundary=cut' },
    body: `${part('application/json', JSON.stringify(metadata))}${part('text/plain', content)}--cut--`,
  });
}
const objectUrl = (name: string, query = '', prefix = '/storage/v1') =>
  `${fake.url}${prefix}/b/my-bucket/o/${encodeURIComponent(name)}${query}`;

describe('the fake of Cloud Storage', () => {
  it('answers with and without the prefix of the API', async () => {
    await upload('a/b', 'hello', { metadata: { contentType: 'text/plain' } });
    for (const prefix of ['/storage/v1', '']) {
      expect(await (await fetch(objectUrl('a/b', '', prefix))).json()).toMatchObject({ name: 'a/b', size: '5', contentType: 'text/plain' });
      expect(await (await fetch(objectUrl('a/b', '?alt=media', prefix))).text()).toBe('hello');
    }
  });

  it('gives the checksums that the service gives', async () => {
    // https://cloud.google.com/storage/docs/hashes-etags: checksums of the nine digits are the usual vectors.
    expect(await (await upload('x', '123456789')).json()).toMatchObject({ crc32c: '4waSgw==', md5Hash: 'JfnnlDI7RTiF9RgfG2JNCw==' });
    const wrong = await upload('y', '123456789', { metadata: { crc32c: 'AAAAAA==' } });
    expect(wrong.status).toBe(400);
    expect((await fetch(objectUrl('y'))).status).toBe(404);
  });

  it('keeps the preconditions', async () => {
    const { generation } = (await (await upload('x', 'one', { query: '&ifGenerationMatch=0' })).json()) as { generation: string };
    expect((await upload('x', 'two', { query: '&ifGenerationMatch=0' })).status).toBe(412);
    expect((await upload('x', 'two', { query: `&ifGenerationMatch=${generation}` })).status).toBe(200);
    expect((await fetch(objectUrl('x', `?ifGenerationMatch=${generation}`), { method: 'DELETE' })).status).toBe(412);
    expect((await fetch(objectUrl('x', `?alt=media&generation=${generation}`))).status).toBe(404);
    expect((await upload('x', 'three', { query: '&ifGenerationMatch=newest' })).status).toBe(400);
  });

  it('lists by prefix, page by page, in order of bytes', async () => {
    for (const name of ['b', 'a/2', 'a/1', '\u{ffff}', '👍']) await upload(name, 'x');
    const list = async (query: string) =>
      (await (await fetch(`${fake.url}/storage/v1/b/my-bucket/o?${query}`)).json()) as {
        items: { name: string }[];
        nextPageToken?: string;
      };
    expect((await list('')).items.map(({ name }) => name)).toEqual(['a/1', 'a/2', 'b', '\u{ffff}', '👍']);
    const first = await list('prefix=a&maxResults=1');
    expect(first.items.map(({ name }) => name)).toEqual(['a/1']);
    expect((await list(`prefix=a&maxResults=1&pageToken=${encodeURIComponent(first.nextPageToken!)}`)).items).toMatchObject([
      { name: 'a/2' },
    ]);
  });

  it('takes an upload in pieces, and shows nothing of it before the last', async () => {
    const begun = await fetch(`${fake.url}/upload/storage/v1/b/my-bucket/o?uploadType=resumable&name=x`, { method: 'POST', body: '{}' });
    const session = begun.headers.get('location')!;
    const send = (range: string, body: string | undefined) => fetch(session, { method: 'PUT', headers: { 'content-range': range }, body });
    const half = await send('bytes 0-2/*', 'one');
    expect([half.status, half.headers.get('range')]).toEqual([308, 'bytes=0-2']);
    expect((await fetch(objectUrl('x'))).status).toBe(404);
    expect((await send('bytes */*', undefined)).headers.get('range')).toBe('bytes=0-2');
    expect((await send('bytes 3-5/6', 'two')).status).toBe(200);
    expect(await (await fetch(objectUrl('x', '?alt=media'))).text()).toBe('onetwo');
  });

  it.each(['', '.', '..', 'a\nb', '.well-known/acme-challenge/x', 'x'.repeat(1_025)])('refuses the object name %j', async (name) => {
    expect((await upload(name, 'x')).status).toBe(400);
  });

  it('refuses buckets that are not there, are there already, or cannot be', async () => {
    expect((await upload('x', 'x', { bucket: 'other-bucket' })).status).toBe(404);
    const create = (name: string, query = '?project=my-project') =>
      fetch(`${fake.url}/storage/v1/b${query}`, { method: 'POST', body: JSON.stringify({ name }) }).then(({ status }) => status);
    expect([await create('my-bucket'), await create('My_Bucket'), await create('other-bucket', '')]).toEqual([409, 400, 400]);
  });

  it('says what is wrong as the API does', async () => {
    expect(await (await fetch(objectUrl('nothing'))).json()).toEqual({
      error: {
        code: 404,
        message: 'No such object: my-bucket/nothing',
        errors: [{ domain: 'global', reason: 'notFound', message: 'No such object: my-bucket/nothing' }],
      },
    });
  });
});
