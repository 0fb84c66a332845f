import { firestoreIndexes } from '@rockpool/cloud-google/firestore-indexes';
import { indexes } from '@rockpool/platform';
import { catalogue } from './catalogue.js';
import { expiringCollections } from './expiring-collections.js';
import { jsonText } from './json-text.js';

/** The files that Terraform reads, by their path in the repository, as the code would have them written. */
export function catalogueFiles(): Readonly<Record<string, string>> {
  const expiring = [...new Set(Object.values(expiringCollections).flat())].sort();
  return {
    'infra/catalogue.json': jsonText(catalogue()),
    'infra/firestore.indexes.json': jsonText(firestoreIndexes(indexes, expiring)),
  };
}
