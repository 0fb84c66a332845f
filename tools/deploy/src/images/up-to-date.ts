import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** In the folder of a bundle: what it was written from. */
const file = '.written-from';

/** Tells whether a bundle was written from the build and the packages that are there now. */
export class UpToDate {
  readonly #fingerprint: string;

  constructor(root: string) {
    const hash = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')));
    for (const group of ['apps', 'libs', 'tools']) {
      for (const project of readdirSync(join(root, group)).sort()) {
        const build = join(root, group, project, 'dist');
        if (!existsSync(build)) continue;
        for (const entry of readdirSync(build, { recursive: true, withFileTypes: true })) {
          if (!entry.isFile() || !entry.name.endsWith('.js')) continue;
          const path = join(entry.parentPath, entry.name);
          const { size, mtimeMs } = statSync(path);
          hash.update(`${path} ${size} ${mtimeMs}\n`);
        }
      }
    }
    this.#fingerprint = hash.digest('hex');
  }

  /** True when nothing has changed since {@link note}. */
  holds(folder: string): boolean {
    const path = join(folder, file);
    return existsSync(path) && readFileSync(path, 'utf8') === this.#fingerprint;
  }

  /** The bundle in this folder was written just now. */
  note(folder: string): void {
    writeFileSync(join(folder, file), this.#fingerprint);
  }
}
