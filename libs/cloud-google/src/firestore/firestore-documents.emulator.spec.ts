import { afterAll, beforeAll, describe } from '@jest/globals';
import type { IndexDeclaration } from '@rockpool/cloud';
import { documentsContract } from '@rockpool/cloud/testing';
import { findEmulators, type RunningEmulator, startFirestoreEmulator } from '@rockpool/testkit';
import { randomUUID } from 'node:crypto';
import { FirestoreDocuments } from './firestore-documents.js';

const { missing } = findEmulators().firestore;

(missing === undefined ? describe : describe.skip)(`on the Firestore emulator${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let emulator: RunningEmulator;
  beforeAll(async () => {
    emulator = await startFirestoreEmulator();
  }, 60_000);
  afterAll(() => emulator.stop());

  /** A project of its own is an empty database. */
  const open = async (indexes: readonly IndexDeclaration[]) => {
    const place = { projectId: `test-${randomUUID()}`, endpoint: emulator.host, indexes };
    const opened = { documents: FirestoreDocuments.open(place), reopen, close: () => opened.documents.close() };
    return opened;

    async function reopen() {
      await opened.documents.close();
      return (opened.documents = FirestoreDocuments.open(place));
    }
  };

  documentsContract('FirestoreDocuments', open);
});
