import { existsSync } from 'node:fs';

const testkit = new URL('../libs/testkit/dist/index.js', import.meta.url);

/** Lends emulators to every test of this run. Before the first build there is nobody to lend them, and each test starts its own. */
export default async function lendEmulators() {
  if (!existsSync(testkit)) return;
  const { serveSharedEmulators, sharedEmulatorsVariable } = await import(testkit.href);
  const emulators = await serveSharedEmulators();
  process.env[sharedEmulatorsVariable] = emulators.url;
  globalThis.sharedEmulators = emulators;
}
