import type { Difficulty } from './difficulty.js';
import type { ModelPrice } from './cost.js';
import type { Provider } from './provider.js';

/** What is known of a model. Both fields are absent for a model that is not in the catalogue. */
export interface ModelFacts {
  readonly price?: ModelPrice;
  readonly contextWindow?: number;
}

/**
 * List prices in US dollars per million tokens, standard tier, for prompts within the base tier (the agent's window of 32k tokens is far below every
 * long-prompt surcharge). Read on 2026-11-20 from:
 *   platform.claude.com/docs/en/models (Haiku 5.5, Sonnet 5.5, Opus 5.5; cache write is the five-minute one)
 *   developers.openai.com/api/docs/pricing (GPT-6, GPT-5.6, GPT-5.5, GPT-5.4), as relayed by third parties that cite it
 *   ai.google.dev/gemini-api/docs/pricing (Gemini; 3.8 Flash doubles on 2027-01-01)
 * A model that is not listed has no price: its cost is shown as unknown, never as zero.
 */
const facts: ReadonlyMap<string, ModelFacts> = new Map(
  Object.entries({
    'anthropic/claude-haiku-5-5': known(1_000_000, 0.1, 0.5, 0.01, 0.125),
    'anthropic/claude-sonnet-5-5': known(1_000_000, 2, 10, 0.1, 2.5),
    'anthropic/claude-opus-5-5': known(1_000_000, 4, 20, 0.2, 5),
    'anthropic/claude-opus-5': known(1_000_000, 5, 25, 0.5, 6.25),
    'anthropic/claude-sonnet-5': known(1_000_000, 2, 10, 0.2, 2.5),
    'anthropic/claude-haiku-4-5': known(200_000, 1, 5, 0.1, 1.25),
    'openai/gpt-6-luna': known(1_000_000, 0.1, 0.5, 0.01, 0.125),
    'openai/gpt-6-sol': known(1_000_000, 2, 10, 0.2, 2.5),
    'openai/gpt-6-astra': known(1_000_000, 10, 50, 1),
    'openai/gpt-5.6-luna': known(1_000_000, 0.2, 1.2, 0.02),
    'openai/gpt-5.6-terra': known(1_000_000, 2, 12, 0.2),
    'openai/gpt-5.5': known(1_000_000, 5, 30, 0.5),
    'openai/gpt-5.4': known(1_000_000, 2.5, 15, 0.25),
    'openai/gpt-5.4-mini': known(1_000_000, 0.75, 4.5, 0.075),
    'openai/gpt-5.4-nano': known(1_000_000, 0.2, 1.25, 0.02),
    'google/gemini-3.5-flash-lite': known(1_048_576, 0.3, 2.5),
    'google/gemini-3.8-flash': known(1_048_576, 0.75, 3.75, 0.075),
    'google/gemini-3.5-flash': known(1_048_576, 1.5, 9),
    'google/gemini-3.1-pro-preview': known(1_048_576, 2, 12),
  }),
);

/** The model `auto` takes of each provider, by the difficulty of what is asked: small, medium, large. */
export const routes: Readonly<Record<Exclude<Provider, 'openai-compatible'>, Readonly<Record<Difficulty, string>>>> = {
  anthropic: { simple: 'claude-haiku-5-5', code: 'claude-sonnet-5-5', design: 'claude-opus-5-5' },
  openai: { simple: 'gpt-6-luna', code: 'gpt-6-sol', design: 'gpt-6-astra' },
  google: { simple: 'gemini-3.5-flash-lite', code: 'gemini-3.8-flash', design: 'gemini-3.1-pro-preview' },
};

/** Looks a model up by its full id, `anthropic/claude-…`. A dated id (`…-20261007`) has the facts of its undated one. */
export function factsOf(id: string): ModelFacts {
  return facts.get(id) ?? facts.get(id.replace(/-\d{4}-?\d{2}-?\d{2}$/, '')) ?? {};
}

function known(
  contextWindow: number,
  inputPerMTok: number,
  outputPerMTok: number,
  cacheReadPerMTok?: number,
  cacheWritePerMTok?: number,
): ModelFacts {
  return { contextWindow, price: { inputPerMTok, outputPerMTok, cacheReadPerMTok, cacheWritePerMTok } };
}
