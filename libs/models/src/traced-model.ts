import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
  LanguageModelV4Usage,
} from '@ai-sdk/provider';
import { context, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api';
import { costUsd, type CallUsage, type ModelPrice } from './cost.js';
import { failureOf } from './provider-failure.js';

const tracer = trace.getTracer('@rockpool/models');

/** What a span says of the model beside its name. */
export interface TracedFacts {
  /** `gen_ai.provider.name` */
  readonly providerName: string;
  readonly price?: ModelPrice;
}

/**
 * A language model whose every call is a span `chat <model>` with the attributes of OpenTelemetry's GenAI conventions
 * (https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/) and `rockpool.cost.usd`. Neither prompts nor answers enter the span.
 */
export class TracedModel implements LanguageModelV4 {
  readonly specificationVersion = 'v4';
  readonly provider: string;
  readonly modelId: string;
  readonly supportedUrls: LanguageModelV4['supportedUrls'];

  constructor(
    private readonly inner: LanguageModelV4,
    private readonly facts: TracedFacts,
  ) {
    this.provider = inner.provider;
    this.modelId = inner.modelId;
    this.supportedUrls = inner.supportedUrls;
  }

  async doGenerate(options: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult> {
    const span = this.start();
    try {
      const result = await context.with(trace.setSpan(context.active(), span), () => this.inner.doGenerate(options));
      if (result.response?.modelId) span.setAttribute('gen_ai.response.model', result.response.modelId);
      this.finish(span, result.usage, result.finishReason.unified);
      return result;
    } catch (error) {
      fail(span, error);
      throw error;
    }
  }

  async doStream(options: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    const span = this.start();
    try {
      const result = await context.with(trace.setSpan(context.active(), span), () => this.inner.doStream(options));
      // Without a recorder the span is a no-op, and one stream less to pass through is time saved on every token.
      return span.isRecording() ? { ...result, stream: this.watch(result.stream, span) } : result;
    } catch (error) {
      fail(span, error);
      throw error;
    }
  }

  private start(): Span {
    return tracer.startSpan(`chat ${this.modelId}`, {
      kind: SpanKind.CLIENT,
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': this.facts.providerName,
        'gen_ai.request.model': this.modelId,
      },
    });
  }

  private watch(stream: ReadableStream<LanguageModelV4StreamPart>, span: Span): ReadableStream<LanguageModelV4StreamPart> {
    const startedAt = performance.now();
    let answering = false;
    let ended = false;
    const end = (how: () => void): void => {
      if (ended) return;
      ended = true;
      how();
    };
    return stream.pipeThrough(
      new TransformStream<LanguageModelV4StreamPart, LanguageModelV4StreamPart>({
        transform: (part, controller) => {
          controller.enqueue(part);
          if (part.type === 'response-metadata' && part.modelId) span.setAttribute('gen_ai.response.model', part.modelId);
          else if (part.type === 'finish') end(() => this.finish(span, part.usage, part.finishReason.unified));
          else if (part.type === 'error') end(() => fail(span, part.error));
          else if (!answering && part.type !== 'stream-start') {
            answering = true;
            span.setAttribute('gen_ai.response.time_to_first_chunk', (performance.now() - startedAt) / 1000);
          }
        },
        flush: () => end(() => fail(span, new Error('the stream ended without a finish'))),
        cancel: (reason: unknown) => end(() => fail(span, reason)),
      }),
    );
  }

  private finish(span: Span, reported: LanguageModelV4Usage, reason: string): void {
    const usage = callUsageOf(reported);
    const cost = costUsd(usage, this.facts.price);
    span.setAttributes({
      'gen_ai.response.finish_reasons': [reason],
      'gen_ai.usage.input_tokens': usage.inputTokens,
      'gen_ai.usage.output_tokens': usage.outputTokens,
      ...(cost !== undefined && { 'rockpool.cost.usd': cost }),
    });
    span.end();
  }
}

function callUsageOf(usage: LanguageModelV4Usage): CallUsage {
  return {
    inputTokens: usage.inputTokens.total ?? 0,
    outputTokens: usage.outputTokens.total ?? 0,
    cacheReadTokens: usage.inputTokens.cacheRead,
    cacheWriteTokens: usage.inputTokens.cacheWrite,
  };
}

function fail(span: Span, error: unknown): void {
  const failure = failureOf(error);
  const name = typeof error === 'object' && error !== null && 'name' in error ? String(error.name) : 'error';
  span.setAttribute('error.type', failure ? (failure.status !== undefined ? String(failure.status) : failure.kind) : name);
  span.setStatus({ code: SpanStatusCode.ERROR, message: failure?.reason ?? name });
  span.end();
}
