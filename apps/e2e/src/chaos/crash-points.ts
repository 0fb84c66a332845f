import { readFileSync, renameSync } from 'node:fs';

/**
 * Loaded before the product (`node --import …/crash-points.js`) this ends the process with SIGKILL at a moment of one's choice:
 *
 * - `ROCKPOOL_CRASH_AT=<point>:<n>`: when the point is passed for the n-th time since the start;
 * - `ROCKPOOL_CRASH_AT=@<path>`: the same, from the moment that file says `<point>:<n>`, so that running processes can be armed. The one that gets there first takes the
 *   file away and dies; those beside it live.
 *
 * Without this module the marks in the product are functions that do nothing, whatever the environment says.
 */
const given = process.env['ROCKPOOL_CRASH_AT'] ?? '';
const file = given.startsWith('@') ? given.slice(1) : undefined;
let order = '';
let passed = 0;

function orderNow(): string {
  if (file === undefined) return given;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return ''; // not armed yet
  }
}

/** True for one process only. */
function isFirst(): boolean {
  if (file === undefined) return true;
  try {
    renameSync(file, `${file}.done`);
    return true;
  } catch {
    return false; // another was there a moment before
  }
}

Reflect.set(globalThis, Symbol.for('dev.rockpool.crash-point'), (point: string) => {
  const current = orderNow();
  if (current !== order) {
    order = current;
    passed = 0;
  }
  const [wanted, n = '1'] = order.split(':');
  if (point === wanted && ++passed === Number(n) && isFirst()) process.kill(process.pid, 'SIGKILL');
});
