import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { context, ROOT_CONTEXT, trace, type Attributes, type Context, type Span, type SpanOptions, type Tracer } from '@opentelemetry/api';
import { codeOf, isTerminal, type TenantId } from '@rockpool/contracts';
import { ModelSimulator } from '@rockpool/testkit';
import { Models, type ModelRequest } from './models.js';
import type { ModelsConfig } from './provider.js';

const request = (more: Partial<ModelRequest> = {}): ModelRequest => ({
  tenantId: 'alice' as TenantId,
  model: 'auto',
  keys: {},
  difficulty: 'simple',
  ...more,
});
const idOf = async (config: ModelsConfig, more?: Partial<ModelRequest>): Promise<string> =>
  (await new Models(config).resolve(request(more))).id;

describe('auto', () => {
  it('is the demo model when there is no key at all', async () => {
    expect(await new Models().resolve(request())).toMatchObject({ id: 'demo', demo: true, price: { inputPerMTok: 0 } });
    expect(await idOf({ anthropicApiKey: '', openaiApiKey: '' })).toBe('demo');
  });

  it('tries anthropic, openai, google', async () => {
    const all = { anthropicApiKey: 'a', openaiApiKey: 'o', geminiApiKey: 'g' };
    expect(await idOf(all)).toBe('anthropic/claude-haiku-5-5');
    expect(await idOf({ ...all, anthropicApiKey: undefined })).toBe('openai/gpt-6-luna');
    expect(await idOf({ geminiApiKey: 'g' })).toBe('google/gemini-3.5-flash-lite');
  });

  it('takes a larger model for a harder message', async () => {
    const ids = await Promise.all(
      (['simple', 'code', 'design'] as const).map((difficulty) => idOf({ anthropicApiKey: 'a' }, { difficulty })),
    );
    expect(ids).toEqual(['anthropic/claude-haiku-5-5', 'anthropic/claude-sonnet-5-5', 'anthropic/claude-opus-5-5']);
  });

  it('uses the base URL before every other platform key, with or without a key for it', async () => {
    const openaiBaseUrl = 'http://127.0.0.1:1/v1';
    expect(await idOf({ openaiBaseUrl, anthropicApiKey: 'a' })).toBe('openai-compatible/default');
    expect(await idOf({ openaiBaseUrl, openaiCompatibleModel: 'llama' }, { difficulty: 'design' })).toBe('openai-compatible/llama');
  });

  it('prefers a key of the tenant’s own', async () => {
    const config = { openaiBaseUrl: 'http://127.0.0.1:1/v1', anthropicApiKey: 'a' };
    expect(await idOf(config, { keys: { google: 'own' } })).toBe('google/gemini-3.5-flash-lite');
    expect(await idOf(config, { keys: { openai: 'own' } })).toBe('openai-compatible/default');
  });
});

describe('a model asked for by name', () => {
  it.each([
    ['anthropic/claude-opus-5-5', 'ANTHROPIC_API_KEY'],
    ['openai/gpt-6-sol', 'OPENAI_API_KEY'],
    ['google/gemini-3.8-flash', 'GEMINI_API_KEY'],
    ['openai-compatible/llama', 'OPENAI_BASE_URL'],
  ])('%s without a key says what to set', async (model, variable) => {
    const error = await new Models().resolve(request({ model })).catch((reason: unknown) => reason);
    expect([isTerminal(error), (error as Error).message]).toEqual([true, expect.stringContaining(variable)]);
  });

  it.each(['gpt-6', 'mistral/large', 'anthropic/', '/x', '', 'toString/x'])('%j is refused', async (model) => {
    expect(codeOf(await new Models({ anthropicApiKey: 'a' }).resolve(request({ model })).catch((reason: unknown) => reason))).toBe(
      'invalid',
    );
  });

  it('never borrows a key from the environment', async () => {
    process.env['ANTHROPIC_API_KEY'] = 'ambient';
    try {
      await expect(new Models().resolve(request({ model: 'anthropic/claude-opus-5-5' }))).rejects.toThrow('has no key');
    } finally {
      delete process.env['ANTHROPIC_API_KEY'];
    }
  });

  it('that nobody knows has no price and a small window', async () => {
    const model = await new Models({ openaiBaseUrl: 'http://127.0.0.1:1' }).resolve(request({ model: 'openai-compatible/llama' }));
    expect(model).toMatchObject({ contextWindow: 32_768, demo: false });
    expect(model.price).toBeUndefined();
  });
});

/** Keeps what a span was given; enough of OpenTelemetry's API to look at spans without its SDK. */
interface RecordedSpan {
  readonly name: string;
  readonly attributes: Attributes;
  status?: { code: number; message?: string };
  ended: number;
}
const spans: RecordedSpan[] = [];
const tracer: Tracer = {
  startSpan(name: string, options: SpanOptions = {}, parent: Context = context.active()): Span {
    const record: RecordedSpan = { name, attributes: { ...options.attributes }, ended: 0 };
    spans.push(record);
    const span = {
      spanContext: () =>
        trace.getSpan(parent ?? ROOT_CONTEXT)?.spanContext() ?? { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 },
      setAttribute: (key: string, value: Attributes[string]) => ((record.attributes[key] = value), span),
      setAttributes: (attributes: Attributes) => (Object.assign(record.attributes, attributes), span),
      setStatus: (status: RecordedSpan['status']) => ((record.status = status), span),
      isRecording: () => true,
      end: () => void record.ended++,
      addEvent: () => span,
      addLink: () => span,
      addLinks: () => span,
      updateName: () => span,
      recordException: () => {},
    } as unknown as Span;
    return span;
  },
  startActiveSpan: () => {
    throw new Error('not used');
  },
};

describe('a call of a model', () => {
  const simulator = new ModelSimulator();
  beforeAll(async () => {
    trace.setGlobalTracerProvider({ getTracer: () => tracer });
    await simulator.start();
  });
  afterAll(async () => {
    trace.disable();
    await simulator.close();
  });
  afterEach(() => void (spans.length = 0));

  const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'my secret is plum' }] }];
  const model = async (name = 'openai/gpt-6-luna') =>
    (
      await new Models({ openaiBaseUrl: `${simulator.url}/v1/`, openaiApiKey: 'sk-platform' }).resolve(
        request({ model: name, keys: { openai: 'sk-own' } }),
      )
    ).languageModel;

  it('goes to the base URL as it was given, with the tenant’s key', async () => {
    await (await model()).doGenerate({ prompt });
    expect(simulator.requests.at(-1)!.headers.authorization).toBe('Bearer sk-own');
    expect(simulator.requests.at(-1)!.body).toMatchObject({ model: 'gpt-6-luna' });
  });

  it('sends no authorization when there is no key', async () => {
    const { languageModel } = await new Models({ openaiBaseUrl: `${simulator.url}/v1` }).resolve(request());
    await languageModel.doGenerate({ prompt });
    expect(simulator.requests.at(-1)!.headers.authorization).toBeUndefined();
  });

  it('is a span with model, tokens and cost, and nothing of what was said', async () => {
    for await (const _part of (await (await model()).doStream({ prompt })).stream);
    expect(spans).toEqual([
      {
        name: 'chat gpt-6-luna',
        ended: 1,
        attributes: {
          'gen_ai.operation.name': 'chat',
          'gen_ai.provider.name': 'openai',
          'gen_ai.request.model': 'gpt-6-luna',
          'gen_ai.response.model': 'gpt-6-luna',
          'gen_ai.response.time_to_first_chunk': expect.any(Number),
          'gen_ai.response.finish_reasons': ['stop'],
          'gen_ai.usage.input_tokens': expect.any(Number),
          'gen_ai.usage.output_tokens': expect.any(Number),
          'rockpool.cost.usd': expect.any(Number),
        },
      },
    ]);
    expect(JSON.stringify(spans)).not.toContain('plum');
  });

  it('that fails is a failed span, with the kind of failure and nothing else of it', async () => {
    simulator
      .when('plum')
      .reply({ fail: { status: 503 } })
      .times(1);
    await expect((await model()).doStream({ prompt })).rejects.toThrow();
    expect(spans).toMatchObject([{ ended: 1, attributes: { 'error.type': '503' }, status: { code: 2 } }]);
    expect(JSON.stringify(spans)).not.toContain('plum');
  });

  it('that nobody reads to the end is a span all the same', async () => {
    const { stream } = await (await model()).doStream({ prompt });
    await stream.cancel(new Error('stopped'));
    expect(spans).toMatchObject([{ ended: 1, attributes: { 'error.type': 'Error' } }]);
  });

  it('of the demo model is a span too, and costs nothing', async () => {
    for await (const _part of (await (await model('demo')).doStream({ prompt })).stream);
    expect(spans).toMatchObject([{ name: 'chat demo', attributes: { 'gen_ai.provider.name': 'rockpool.demo', 'rockpool.cost.usd': 0 } }]);
  });
});
