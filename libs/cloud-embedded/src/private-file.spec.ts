import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPrivateFile, readPrivateFile, replacePrivateFile } from './private-file.js';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-private-'));
  file = join(folder, 'keys', 'key');
});
afterEach(() => rm(folder, { recursive: true }));

describe('a private file', () => {
  it('is created once, whoever tries at the same moment, and stays as the first one wrote it', async () => {
    const texts = Array.from({ length: 10 }, (_, index) => `text ${index}`);
    const created = await Promise.all(texts.map((text) => createPrivateFile(file, text)));
    expect(created.filter(Boolean)).toHaveLength(1);
    expect(await readPrivateFile(file)).toBe(texts[created.indexOf(true)]);
    expect(await createPrivateFile(file, 'late')).toBe(false);
    expect(await readFile(file, 'utf8')).toBe(texts[created.indexOf(true)]);
  });

  it('is replaced whole, and leaves nothing else in its folder', async () => {
    await createPrivateFile(file, 'old');
    await Promise.all([replacePrivateFile(file, 'new'), replacePrivateFile(file, 'new')]);
    expect(await readPrivateFile(file)).toBe('new');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, 'keys'))).toEqual(['key']);
  });

  it('that is absent is undefined; what cannot be read is an error', async () => {
    expect(await readPrivateFile(file)).toBeUndefined();
    await expect(readPrivateFile(folder)).rejects.toThrow('EISDIR');
  });
});
