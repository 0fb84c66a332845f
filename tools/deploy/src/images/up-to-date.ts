import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle } from './bundle.js';

/** In the folder of a bundle: what it was written from, and what it holds. */
const file = '.written-from.json';

interface Note {
  readonly fingerprint: string;
  readonly bundle: Bundle;
}

/** Tells whether a bundle was written from the build, the packages and the files beside modules that are there now. */
export class UpToDate {
  readonly #fingerprint: string;

  constructor(root: string) {
    const hash = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')));
    for (const group of ['apps', 'libs', 'tools']) {
      for (const project of readdirSync(join(root, group)).sort()) {
        const folder = join(root, group, project);
        // Of the build only what is bundled: beside it lie notes of when it was made.
        const program = filesAt(join(folder, 'dist')).filter((path) => path.endsWith('.js'));
        for (const path of [...program, ...filesAt(join(folder, 'assets')), ...filesAt(join(folder, 'package.json'))]) {
          const { size, mtimeMs } = statSync(path);
          hash.update(`${path} ${size} ${mtimeMs}\n`);
        }
      }
    }
    this.#fingerprint = hash.digest('hex');
  }

  /** The bundle in this folder, when nothing has changed since {@link note}. */
  bundleIn(folder: string): Bundle | undefined {
    const path = join(folder, file);
    if (!existsSync(path)) return undefined;
    const { fingerprint, bundle } = JSON.parse(readFileSync(path, 'utf8')) as Note;
    return fingerprint === this.#fingerprint ? bundle : undefined;
  }

  /** This bundle was written just now. */
  note(bundle: Bundle): void {
    writeFileSync(join(bundle.folder, file), JSON.stringify({ fingerprint: this.#fingerprint, bundle } satisfies Note));
  }
}

/** The file itself, or all files below the folder; none where nothing is. */
function filesAt(path: string): string[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
