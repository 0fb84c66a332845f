import { chmodSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle } from './bundle.js';
import { runProgram } from './started-program.js';

/** Where a bundle keeps its compiled code, inside its folder: `NODE_COMPILE_CACHE` of whoever starts it. */
export const compileCacheFolder = '.compile-cache';

/** The exit code of an app that cannot reach its cloud, of sysexits.h. */
export const cloudUnavailable = 69;

/** The exit code of an app that was told to end and had to leave something behind. */
const endedInDisorder = 1;

/** Nothing answers on this port: RFC 863. */
const nowhere = '127.0.0.1:9';

/** The settings that an app cannot do without, all of them leading nowhere. */
const withoutCloud: Readonly<Record<string, string>> = {
  ROCKPOOL_ENGINE: 'google',
  GOOGLE_CLOUD_PROJECT: 'nowhere',
  ROCKPOOL_CREATE_TOPOLOGY: 'false',
  ROCKPOOL_BUS_DELIVERY: 'push',
  ROCKPOOL_ADMIN_TOKEN: 'only-to-start-with-while-nobody-listens',
  ROCKPOOL_AGENT_HOST_URL: `http://${nowhere}`,
  ROCKPOOL_DISPATCHER_URL: `http://${nowhere}`,
  ROCKPOOL_SCHEDULER_URL: `http://${nowhere}`,
  PUBSUB_EMULATOR_HOST: nowhere,
  FIRESTORE_EMULATOR_HOST: nowhere,
  STORAGE_EMULATOR_HOST: `http://${nowhere}`,
  ROCKPOOL_TASKS_ENDPOINT: nowhere,
  ROCKPOOL_SECRETS_ENDPOINT: nowhere,
  ROCKPOOL_CERTS_URL: `http://${nowhere}/certs`,
  METADATA_SERVER_DETECTION: 'none',
};

/** Variables that an image comes up with where there is no cloud and no emulator. It is not ready then, for it reaches nothing; the whole product needs none. */
export function startsWithoutCloud(image: string): Readonly<Record<string, string>> {
  return image === 'rockpool' ? {} : withoutCloud;
}

/**
 * Starts the bundle once, so that Node keeps what it compiled; later starts of the same bundle, by the same user and the same version of Node, are faster by that. Resolves
 * with the number of files that were kept, readable by everyone. Rejects when the program ends for another reason
 * than that there is no cloud.
 */
export async function warmCompileCache({ image, folder }: Bundle): Promise<number> {
  const cache = join(folder, compileCacheFolder);
  const run = await runProgram({
    folder,
    environment: { NODE_COMPILE_CACHE: cache, NODE_COMPILE_CACHE_PORTABLE: '1', ...startsWithoutCloud(image) },
    whenReady: async (url) => {
      await fetch(`${url}/healthz`);
    },
  });
  // One that was asking the cloud when it was told to end cannot end in order, and says so with 1.
  const ends = image === 'rockpool' ? [0] : [0, endedInDisorder];
  const cameUp = run.readyMs !== undefined && ends.includes(run.exitCode ?? -1);
  // An app that asks the cloud before it is up has compiled by then what it needs to ask.
  if (!cameUp && run.exitCode !== cloudUnavailable) {
    throw new Error(`${image} ended with ${run.exitCode} when it was started to keep its compiled code; it printed:\n${run.output}`);
  }
  const files = readdirSync(cache, { recursive: true, withFileTypes: true }).map((entry) => join(entry.parentPath, entry.name));
  // Node makes them for its own user alone; an image may be copied in another's name.
  for (const file of files) chmodSync(file, statSync(file).mode | 0o444);
  return files.length;
}
