import { describe } from '@jest/globals';
import { whyNoStack } from '@rockpool/testkit';
import type { EngineName } from './installation.js';

/** Describes the same on both engines. Where the emulators are missing, the Google engine is skipped, and the title says over what. */
export function onEachEngine(body: (engine: EngineName) => void): void {
  describe('on the embedded engine', () => body('embedded'));
  const missing = whyNoStack();
  const title = 'on the Google engine, two processes of each app';
  if (missing === undefined) describe(title, () => body('google'));
  else describe.skip(`${title} (skipped: ${missing})`, () => body('google'));
}
