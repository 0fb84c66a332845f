import { afterAll, beforeAll, describe } from '@jest/globals';
import type { IndexDeclaration } from '@rockpool/cloud';
import { eventually } from '@rockpool/cloud/testing';
import { borrowFirestoreEmulator, findEmulators, type RunningEmulator } from '@rockpool/testkit';
import { randomUUID } from 'node:crypto';
import { FirestoreDocuments } from '../firestore-documents.js';

/** Opens documents in a database of their own, or once more in that of `sameAs`, as another process would. */
export type OpenOnEmulator = (
  indexes: readonly IndexDeclaration[],
  at?: { projectId?: string; endpoint?: string },
) => { documents: FirestoreDocuments; projectId: string; endpoint: string };

/** Tests that are run on an emulator, each in a project of its own, and skipped with the reason where there is none. */
export function describeOnFirestore(title: string, body: (open: OpenOnEmulator) => void): void {
  const { missing } = findEmulators().firestore;
  (missing === undefined ? describe : describe.skip)(`${title}${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
    let emulator: RunningEmulator;
    beforeAll(async () => {
      emulator = await borrowFirestoreEmulator();
      // The first answers of a virtual machine that has just started may take longer than any driver waits.
      const first = FirestoreDocuments.open({ projectId: 'first', endpoint: emulator.host, indexes: [] });
      await eventually('the emulator answers', () => first.set('first/1', {}).then(() => true, () => false)); // prettier-ignore
      await first.close();
    });
    afterAll(() => emulator.stop());

    // The emulator makes a database for every project that is named to it.
    body((indexes, { projectId = `test-${randomUUID()}`, endpoint = emulator.host } = {}) => {
      return { documents: FirestoreDocuments.open({ projectId, endpoint, indexes }), projectId, endpoint };
    });
  });
}
