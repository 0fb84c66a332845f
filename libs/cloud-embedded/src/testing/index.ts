import type { Documents, IndexDeclaration } from '@rockpool/cloud';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../database.js';
import { SqliteDocuments } from '../sqlite-documents.js';

/** Documents for a test, empty, in a temporary folder that `close` removes. */
export interface TestDocuments {
  readonly documents: Documents;
  close(): Promise<void>;
}

/** The real driver without its fsync: nothing here outlives the test anyway. */
export async function openTestDocuments(indexes: readonly IndexDeclaration[]): Promise<TestDocuments> {
  const folder = await mkdtemp(join(tmpdir(), 'rockpool-test-'));
  const database = Database.open(join(folder, 'documents.db'), { synchronous: 'OFF' });
  const documents = new SqliteDocuments(database, indexes);
  return {
    documents,
    async close() {
      documents.close();
      await database.close();
      await rm(folder, { recursive: true });
    },
  };
}
