import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { answers } from '../testing/answers.js';
import { findEmulators } from './find-emulators.js';
import { borrowFirestoreEmulator, serveSharedEmulators, sharedEmulatorsVariable, type SharedEmulators } from './shared-emulators.js';

describe('emulators that a test run lends', () => {
  const before = process.env[sharedEmulatorsVariable];
  let emulators: SharedEmulators;
  beforeEach(async () => {
    emulators = await serveSharedEmulators();
    process.env[sharedEmulatorsVariable] = emulators.url;
  });
  afterEach(async () => {
    await emulators.stop();
    if (before === undefined) delete process.env[sharedEmulatorsVariable];
    else process.env[sharedEmulatorsVariable] = before;
  });

  it('are those that there are', async () => {
    expect((await fetch(`${emulators.url}/spanner`)).status).toBe(404);
  });

  const { missing } = findEmulators().firestore;
  (missing === undefined ? it : it.skip)(
    `are the same for all who ask, and outlive those, but not the run${missing === undefined ? '' : ` (skipped: ${missing})`}`,
    async () => {
      const [one, other] = await Promise.all([borrowFirestoreEmulator(), borrowFirestoreEmulator()]);
      expect(one.host).toBe(other.host);
      await one.stop();
      expect(await answers(other.host)).toBe(true);
      await emulators.stop();
      expect(await answers(other.host)).toBe(false);
    },
    60_000,
  );
});
