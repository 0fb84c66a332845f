import { readFileSync } from 'node:fs';

/**
 * Loaded before the product (`node --import …/crash-points.js`) this ends the process with SIGKILL at a moment of one's choice:
 *
 * - `ROCKPOOL_CRASH_AT=<point>:<n>`: when the point is passed for the n-th time since the start;
 * - `ROCKPOOL_CRASH_AT=@<path>`: the same, from the moment that file says `<point>:<n>`, so that a running process can be armed.
 *
 * Without this module the marks in the product are functions that do nothing, whatever the environment says.
 */
const given = process.env['ROCKPOOL_CRASH_AT'] ?? '';
let order = '';
let passed = 0;

function orderNow(): string {
  if (!given.startsWith('@')) return given;
  try {
    return readFileSync(given.slice(1), 'utf8').trim();
  } catch {
    return ''; // not armed yet
  }
}

Reflect.set(globalThis, Symbol.for('dev.rockpool.crash-point'), (point: string) => {
  const current = orderNow();
  if (current !== order) {
    order = current;
    passed = 0;
  }
  const [wanted, n = '1'] = order.split(':');
  if (point === wanted && ++passed === Number(n)) process.kill(process.pid, 'SIGKILL');
});
