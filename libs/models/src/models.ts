import type { LanguageModelV4 } from '@ai-sdk/provider';
import { InvalidInput, TerminalError, type TenantId } from '@rockpool/contracts';
import { factsOf, routes } from './catalogue.js';
import type { ModelPrice } from './cost.js';
import { DemoModel } from './demo-model.js';
import type { Difficulty } from './difficulty.js';
import { keyVariable, type ModelKeys, type ModelsConfig, type Provider } from './provider.js';
import { TracedModel } from './traced-model.js';

/** What a tenant asks for: its setting (`auto`, `demo`, `<provider>/<model>`), its own keys as values, and how hard the message is. */
export interface ModelRequest {
  readonly tenantId: TenantId;
  readonly model: string;
  readonly keys: ModelKeys;
  readonly difficulty: Difficulty;
}

/** A model ready to be called. Every call of it is a span. */
export interface ResolvedModel {
  /** `<provider>/<model>`, or `demo`: what usage is recorded under. */
  readonly id: string;
  readonly provider: Provider | 'demo';
  readonly languageModel: LanguageModelV4;
  /** Absent when the price is not known. */
  readonly price?: ModelPrice;
  readonly demo: boolean;
  /** Tokens the model takes, as far as is known; 32,768 for a model that nobody told us about. */
  readonly contextWindow: number;
}

/** Providers in the order `auto` tries them. */
const order = ['anthropic', 'openai', 'google'] as const;
const unknownContextWindow = 32_768;
/** Models kept ready. Making one compiles its SDK's schemas, which costs more than the rest of a short turn. */
const maxReady = 1_000;
/** The conventions have names of their own for these: https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/ */
const conventionNames: Readonly<Record<Provider, string>> = {
  anthropic: 'anthropic',
  openai: 'openai',
  google: 'gcp.gemini',
  'openai-compatible': 'openai-compatible',
};

/**
 * Turns a tenant's model setting into a model. A key comes from the request or from the platform's config and from nowhere else, so one tenant can never
 * use another's. Provider SDKs are loaded the first time one is asked for.
 */
export class Models {
  /** By model and key: whoever has the same key may use the same instance, which keeps nothing of a call. */
  private readonly ready = new Map<string, ResolvedModel>();

  constructor(private readonly config: ModelsConfig = {}) {}

  /** Rejects with `TerminalError` that says what to set when a provider that was asked for by name has no key, `InvalidInput` for an unknown name. */
  async resolve(request: ModelRequest): Promise<ResolvedModel> {
    if (request.model === 'demo') return demo();
    if (request.model === 'auto') return this.automatic(request);
    const slash = request.model.indexOf('/');
    const provider = request.model.slice(0, slash);
    const name = request.model.slice(slash + 1);
    if (slash < 1 || !name || !isProvider(provider))
      throw new InvalidInput(`model ${request.model} is not auto, demo, anthropic/…, openai/…, google/… or openai-compatible/…`);
    return this.build(provider, name, request.keys);
  }

  /** Loads the SDKs that the platform's own keys need, so that the first message does not wait for them. Rejects never. */
  async warm(): Promise<void> {
    const wanted = this.config.openaiBaseUrl ? (['openai-compatible'] as const) : order.filter((provider) => this.platformKey(provider));
    await Promise.allSettled(wanted.map((provider) => load[provider]()));
  }

  private async automatic({ keys, difficulty }: ModelRequest): Promise<ResolvedModel> {
    // A tenant's own key is a wish of its own; a base URL is the operator's; a platform key is merely there.
    const own = order.find((provider) => keys[provider]);
    if (own && !(own === 'openai' && this.config.openaiBaseUrl)) return this.build(own, routes[own][difficulty], keys);
    if (this.config.openaiBaseUrl) return this.build('openai-compatible', this.config.openaiCompatibleModel ?? 'default', keys);
    const platform = order.find((provider) => this.platformKey(provider));
    return platform ? this.build(platform, routes[platform][difficulty], keys) : demo();
  }

  private async build(provider: Provider, name: string, keys: ModelKeys): Promise<ResolvedModel> {
    const id = `${provider}/${name}`;
    const apiKey = this.apiKey(provider, id, keys);
    const entry = `${id} ${apiKey ?? ''}`;
    const known = this.ready.get(entry);
    if (known) return known;
    const { price, contextWindow = unknownContextWindow } = factsOf(id);
    const inner = await this.connect(provider, name, apiKey);
    const languageModel = new TracedModel(inner, { providerName: conventionNames[provider], price });
    const model = { id, provider, languageModel, ...(price && { price }), demo: false, contextWindow };
    if (this.ready.size >= maxReady) this.ready.delete(this.ready.keys().next().value!);
    this.ready.set(entry, model);
    return model;
  }

  /** The key to call with; `undefined` where a server of the operator's own may do without. */
  private apiKey(provider: Provider, id: string, keys: ModelKeys): string | undefined {
    const { openaiBaseUrl, openaiApiKey } = this.config;
    if (provider === 'openai-compatible' || (provider === 'openai' && openaiBaseUrl)) {
      if (!openaiBaseUrl) throw new TerminalError(`model ${id} needs OPENAI_BASE_URL, which is not set`);
      return keys['openai-compatible'] || keys.openai || openaiApiKey || undefined;
    }
    const apiKey = keys[provider] || this.platformKey(provider);
    if (apiKey) return apiKey;
    throw new TerminalError(
      `model ${id} has no key: set ${keyVariable[provider]} for the platform, or agent.keys.${provider} of the tenant`,
    );
  }

  private async connect(provider: Provider, name: string, apiKey: string | undefined): Promise<LanguageModelV4> {
    const { openaiBaseUrl } = this.config;
    if (provider === 'openai-compatible' || (provider === 'openai' && openaiBaseUrl)) {
      const baseURL = openaiBaseUrl!.replace(/\/+$/, '');
      const { createOpenAICompatible } = await load['openai-compatible']();
      return createOpenAICompatible({ name: 'openai-compatible', baseURL, ...(apiKey && { apiKey }), includeUsage: true })(name);
    }
    // The roots are spelled out: left to themselves the SDKs would read them from the environment.
    switch (provider) {
      case 'anthropic':
        return (await load.anthropic()).createAnthropic({
          apiKey,
          baseURL: this.config.anthropicBaseUrl ?? 'https://api.anthropic.com/v1',
        })(name);
      case 'openai':
        return (await load.openai()).createOpenAI({ apiKey, baseURL: 'https://api.openai.com/v1' })(name);
      case 'google':
        return (await load.google()).createGoogle({
          apiKey,
          baseURL: this.config.geminiBaseUrl ?? 'https://generativelanguage.googleapis.com/v1beta',
        })(name);
    }
  }

  private platformKey(provider: (typeof order)[number]): string | undefined {
    const { anthropicApiKey, openaiApiKey, geminiApiKey } = this.config;
    return { anthropic: anthropicApiKey, openai: openaiApiKey, google: geminiApiKey }[provider] || undefined;
  }
}

/** Each takes tens of milliseconds and megabytes, so none is loaded before it is used. */
const load = {
  anthropic: () => import('@ai-sdk/anthropic'),
  openai: () => import('@ai-sdk/openai'),
  google: () => import('@ai-sdk/google'),
  'openai-compatible': () => import('@ai-sdk/openai-compatible'),
};

function isProvider(name: string): name is Provider {
  return Object.hasOwn(load, name);
}

function demo(): ResolvedModel {
  const price = { inputPerMTok: 0, outputPerMTok: 0 };
  const languageModel = new TracedModel(new DemoModel(), { providerName: 'rockpool.demo', price });
  return { id: 'demo', provider: 'demo', languageModel, price, demo: true, contextWindow: unknownContextWindow };
}
