import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Names to the processes of a test run the folder that was written before it began: nothing may be written anew while programs are started from it. */
export const imagesVariable = 'TESTKIT_IMAGES_FOLDER';

let written: Promise<string> | undefined;

/**
 * The folder with the program of every image, as `apps/<image>/dist/main.js`: what the containers hold, and what starts in less than half the time of the compiled sources. Writes
 * those that are not of the present build (about 15 s), unless this is a test run, before which that was done.
 */
export function imagesOf(root: string): Promise<string> {
  const before = process.env[imagesVariable];
  return before === undefined ? (written ??= write(root)) : Promise.resolve(before);
}

async function write(root: string): Promise<string> {
  const folder = join(root, 'dist/images');
  const command = join(root, 'tools/deploy/dist/images/main.js');
  await promisify(execFile)(process.execPath, [command, 'all', '--out', folder, '--if-changed']);
  return folder;
}
