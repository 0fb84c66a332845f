import Sequencer from '@jest/test-sequencer';

/** Tests that start the product, an emulator or a copy of the workspace: each takes longer than most others together. */
const long = /\/apps\/e2e\/|\.emulator\.spec\.|\/generators\.spec\./;

/** Begins with what takes long, also where nothing is known of earlier runs, so that no worker is alone with it in the end. */
export default class LongFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    return [...sorted.filter(({ path }) => long.test(path)), ...sorted.filter(({ path }) => !long.test(path))];
  }
}
