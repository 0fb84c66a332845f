import { describe, expect, it } from '@jest/globals';
import { defaultOptions } from './options.js';
import { runChaos } from './run.js';

// The short form of `npm run chaos`; docs/reliability.md has the long ones.
describe('a chaos run', () => {
  it('of 300 messages on every channel and 5 kills breaks no promise', async () => {
    const result = await runChaos({ ...defaultOptions, messages: 300, kills: 5, terms: 1, tenants: 5, seed: 'short', rate: 15 });
    expect(result.broken).toEqual([]);
    expect(result.messages).toMatchObject({ sent: 300 });
    expect(result.kills).toBe(5);
    expect(result.messages.answered).toBeGreaterThanOrEqual(result.messages.accepted);
  }, 180_000);
});
