import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Bundle } from './bundle.js';
import { root } from './container-files.fixture.js';

/** Options of Node that keep a program from loading what lies outside of the folder that the variable `STAYS_INSIDE` names by its URL. */
export const stayInside: readonly string[] = ['--import', fileURLToPath(new URL('./stays-inside.fixture.ts', import.meta.url))];

/** Bundles as the Dockerfile does, and gives what the command says of it. */
export async function bundled(name: string, folder: string, ...more: readonly string[]): Promise<Bundle> {
  return (await asked(name, folder, ...more)) as Bundle;
}

/** Every image, as {@link bundled}, in the folder where end-to-end tests have them. */
export async function allBundled(): Promise<{ folder: string; bundles: readonly Bundle[] }> {
  const folder = join(root, 'dist/images');
  return { folder, bundles: (await asked('all', folder, '--if-changed')) as readonly Bundle[] };
}

async function asked(name: string, folder: string, ...more: readonly string[]): Promise<unknown> {
  const bundler = join(root, 'tools/deploy/dist/images/main.js');
  if (!existsSync(bundler)) throw new Error('the tools are not built: npm run build');
  const { stdout } = await promisify(execFile)(process.execPath, [bundler, name, '--out', folder, '--json', ...more], {
    cwd: '/',
    maxBuffer: 16 * 2 ** 20,
  });
  return JSON.parse(stdout);
}
