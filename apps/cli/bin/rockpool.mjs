#!/usr/bin/env node
// Starts the built command line; in a checkout it builds first when there is no build, or sources are newer than it.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 24) {
  console.error(
    `rockpool needs Node 24 or newer, this is ${major}.${minor}. Run it through npm (npm start, npx rockpool), which brings its own.`,
  );
  process.exit(78);
}

const root = fileURLToPath(new URL('../../..', import.meta.url));
const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const stamp = fileURLToPath(new URL('../dist/.built', import.meta.url));

if (existsSync(join(root, 'tsconfig.build.json')) && isStale()) build();
module.enableCompileCache?.();
await import(main);

function isStale() {
  if (!existsSync(main) || !existsSync(stamp)) return true;
  const builtAt = statSync(stamp).mtimeMs;
  return ['libs', 'apps'].some((group) =>
    readdirSync(join(root, group)).some((project) => {
      const source = join(root, group, project, 'src');
      if (!existsSync(source)) return false;
      return readdirSync(source, { recursive: true, withFileTypes: true }).some(
        (entry) => entry.isFile() && entry.name.endsWith('.ts') && statSync(join(entry.parentPath, entry.name)).mtimeMs > builtAt,
      );
    }),
  );
}

function build() {
  const started = new Date();
  console.error('Building Rockpool. This happens once, and takes about half a minute …');
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const result = spawnSync(process.execPath, [tsc, '--build', join(root, 'tsconfig.build.json')], { stdio: ['ignore', 2, 2] });
  if (result.status !== 0) {
    console.error('The build failed; the messages above say where.');
    process.exit(result.status ?? 1);
  }
  writeFileSync(stamp, '');
  utimesSync(stamp, started, started);
}
