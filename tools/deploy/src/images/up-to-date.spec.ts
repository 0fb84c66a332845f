import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Bundle } from './bundle.js';
import { UpToDate } from './up-to-date.js';

describe('a bundle that was written', () => {
  let root: string;
  let bundle: Bundle;
  const put = async (path: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await appendFile(join(root, path), 'x');
  };
  const held = () => new UpToDate(root).bundleIn(bundle.folder);

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'rockpool-up-to-date-'));
    await writeFile(join(root, 'package-lock.json'), '{}');
    for (const path of [
      'apps/web/dist/main.js',
      'apps/web/assets/page.html',
      'apps/web/package.json',
      'libs/a/dist/index.js',
      'tools/b/dist/main.js',
    ]) {
      await put(path);
    }
    await put('out/main.js');
    bundle = { image: 'web', folder: join(root, 'out'), files: [], bytesAtStart: 1, bytes: 2, packages: ['a'] };
    new UpToDate(root).note(bundle);
  });
  afterEach(() => rm(root, { recursive: true }));

  it('is as it was noted, while nothing changes that it was written from', async () => {
    for (const path of ['apps/web/dist/.built', 'apps/web/src/main.ts', 'libs/a/dist/index.d.ts', 'out/more.js']) await put(path);
    expect(held()).toEqual(bundle);
  });

  it.each(['package-lock.json', 'apps/web/assets/page.html', 'apps/web/package.json', 'libs/a/dist/index.js', 'libs/a/dist/new.js'])(
    'is not up to date once %s has changed',
    async (path) => {
      await put(path);
      expect(held()).toBeUndefined();
    },
  );
});
