import { describe, expect, it } from '@jest/globals';
import { factsOf, routes } from './catalogue.js';
import { costUsd } from './cost.js';

describe('the cost of a call', () => {
  const price = { inputPerMTok: 2, outputPerMTok: 10, cacheReadPerMTok: 0.2, cacheWritePerMTok: 2.5 };

  it('adds up fresh, cached and written input and the output', () => {
    const usage = { inputTokens: 1_000_000, outputTokens: 100_000, cacheReadTokens: 500_000, cacheWriteTokens: 100_000 };
    expect(costUsd(usage, price)).toBeCloseTo(0.4 * 2 + 0.5 * 0.2 + 0.1 * 2.5 + 0.1 * 10, 10);
  });

  it('takes the price of input for cached input that has none of its own', () => {
    expect(costUsd({ inputTokens: 1_000_000, outputTokens: 0, cacheReadTokens: 1_000_000 }, { inputPerMTok: 2, outputPerMTok: 10 })).toBe(
      2,
    );
  });

  it('is unknown, not zero, without a price', () => {
    expect(costUsd({ inputTokens: 1, outputTokens: 1 }, undefined)).toBeUndefined();
  });
});

describe('the catalogue', () => {
  it('knows price and window of every model that auto takes', () => {
    for (const [provider, byDifficulty] of Object.entries(routes))
      for (const model of Object.values(byDifficulty))
        expect(factsOf(`${provider}/${model}`)).toMatchObject({
          price: { inputPerMTok: expect.any(Number) },
          contextWindow: expect.any(Number),
        });
  });

  it('knows a dated model by its undated name, and says nothing of others', () => {
    expect(factsOf('anthropic/claude-haiku-5-5-20261007')).toEqual(factsOf('anthropic/claude-haiku-5-5'));
    expect(factsOf('openai-compatible/llama')).toEqual({});
    expect(factsOf('constructor')).toEqual({});
  });
});
