import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/**
 * Loaded before the product (`node --import …/storage-faults.ts`) this makes its database behave as on a bad disk, on any machine and without root. The file
 * that `STORAGE_FAULT_FILE` names says how: `full` (no page more), `read-only`, or `none`. What is in force is written beside it.
 */
const orderFile = process.env['STORAGE_FAULT_FILE'] ?? '';
const pollMs = 10;

const databases = new Set<DatabaseSync>();
const prepare = DatabaseSync.prototype.prepare;
DatabaseSync.prototype.prepare = function (this: DatabaseSync, ...given: Parameters<typeof prepare>) {
  if (this.location()?.endsWith('rockpool.db')) databases.add(this);
  return prepare.apply(this, given);
};

let inForce = 'none';
setInterval(() => {
  const order = ordered();
  if (order === inForce) return;
  for (const database of databases) {
    if (!database.isOpen) continue;
    const pages = Number(prepare.call(database, 'PRAGMA page_count').get()?.['page_count']);
    database.exec(`PRAGMA max_page_count = ${order === 'full' ? pages : 1_073_741_823}`);
    database.exec(`PRAGMA query_only = ${order === 'read-only' ? 1 : 0}`);
  }
  inForce = order;
  writeFileSync(`${orderFile}.in-force`, order);
}, pollMs).unref();

function ordered(): string {
  try {
    return readFileSync(orderFile, 'utf8').trim() || inForce;
  } catch {
    return 'none'; // nothing was ordered yet
  }
}
