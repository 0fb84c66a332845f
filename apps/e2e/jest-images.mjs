import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Writes the images that the tests start, unless they are there. Before the first build there is nothing to write them from, which the tests will say. */
export default async function writeImages() {
  const testkit = new URL('../../libs/testkit/dist/index.js', import.meta.url);
  if (!existsSync(testkit)) return;
  const { imagesOf, imagesVariable } = await import(testkit.href);
  process.env[imagesVariable] = await imagesOf(root);
}
