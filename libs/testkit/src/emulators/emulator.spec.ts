import { describe, expect, it } from '@jest/globals';
import { answers } from '../testing/answers.js';
import { startFirestoreEmulator, startPubSubEmulator } from './emulator.js';
import { findEmulators } from './find-emulators.js';

const { pubsub, firestore } = findEmulators();
const official = [
  ['Pub/Sub', pubsub, startPubSubEmulator],
  ['Firestore', firestore, startFirestoreEmulator],
] as const;

for (const [name, found, start] of official) {
  (found.missing === undefined ? describe : describe.skip)(
    `the ${name} emulator${found.missing ? ` (skipped: ${found.missing})` : ''}`,
    () => {
      it('answers until it is stopped', async () => {
        const emulator = await start();
        expect(await answers(emulator.host)).toBe(true);
        await emulator.stop();
        expect(await answers(emulator.host)).toBe(false);
      });
    },
  );
}

describe('a machine without emulators', () => {
  it('says what is missing', () => {
    expect(findEmulators('').pubsub.missing).toMatch('no java');
  });
});
