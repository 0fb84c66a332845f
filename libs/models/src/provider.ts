/** Who serves a model. `openai-compatible` is any server that speaks OpenAI's chat completions at `OPENAI_BASE_URL`. */
export type Provider = 'anthropic' | 'openai' | 'google' | 'openai-compatible';

/** API keys by provider, as values. A tenant's own keys outrank the platform's; nothing else ever supplies a key, the environment included. */
export type ModelKeys = Readonly<Partial<Record<Provider, string>>>;

/** What the platform itself was configured with. Every field is optional; with none of them only the demo model answers. */
export interface ModelsConfig {
  /** `ANTHROPIC_API_KEY` */
  readonly anthropicApiKey?: string;
  /** `OPENAI_API_KEY`; also the bearer token for `openaiBaseUrl`, which may go without one. */
  readonly openaiApiKey?: string;
  /** `GEMINI_API_KEY` */
  readonly geminiApiKey?: string;
  /**
   * `OPENAI_BASE_URL`, used as it is given: `/chat/completions` is appended and nothing else, so it includes `/v1` when the server wants it. When it is
   * set, `auto` uses it before any other platform key, and `openai/…` goes there too.
   */
  readonly openaiBaseUrl?: string;
  /** `ROCKPOOL_OPENAI_COMPATIBLE_MODEL`: the model `auto` asks that server for. Default `default`, which servers of a single model ignore. */
  readonly openaiCompatibleModel?: string;
  /** Another root of Anthropic's API, with its `/v1`: a proxy. */
  readonly anthropicBaseUrl?: string;
  /** Another root of Gemini's API, with its `/v1beta`: a proxy. */
  readonly geminiBaseUrl?: string;
}

/** The environment variable that gives the platform a key, for messages that say what to set. */
export const keyVariable: Readonly<Record<Provider, string>> = {
  anthropic: 'ANTHROPIC_API_KEY',
  openai: 'OPENAI_API_KEY',
  google: 'GEMINI_API_KEY',
  'openai-compatible': 'OPENAI_BASE_URL',
};
