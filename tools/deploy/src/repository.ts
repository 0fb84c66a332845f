import { resolve } from 'node:path';

/** The repository's folder: `src` and `dist` lie equally deep. */
export const repositoryFolder = resolve(import.meta.dirname, '../../..');
