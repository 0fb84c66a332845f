import { describe } from '@jest/globals';
import { whyNoStack, type StackDelivery } from '@rockpool/testkit';
import type { EngineName } from './installation.js';

/** Describes the same on both engines. */
export function onEachEngine(body: (engine: EngineName) => void): void {
  describe('on the embedded engine', () => body('embedded'));
  onGoogle('on the Google engine, two processes of each app that messages go through', 'pull', () => body('google'));
}

/** Describes something of the Google engine. Where what it stands on is missing it is skipped, and the title says over what. */
export function onGoogle(title: string, delivery: StackDelivery, body: () => void): void {
  const missing = whyNoStack(delivery);
  if (missing === undefined) describe(title, body);
  else describe.skip(`${title} (skipped: ${missing})`, body);
}
