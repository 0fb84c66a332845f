import type {
  JSONSchema7,
  LanguageModelV4,
  LanguageModelV4FunctionTool,
  LanguageModelV4Message,
  LanguageModelV4StreamPart,
} from '@ai-sdk/provider';
import type { CallUsage } from './cost.js';

/** A message of a conversation with a model, as providers are given it. */
export type ModelMessage = Exclude<LanguageModelV4Message, { role: 'system' }>;
/** The message that carries the results of tools back to the model. */
export type ToolMessage = Extract<ModelMessage, { role: 'tool' }>;
type AssistantMessage = Extract<ModelMessage, { role: 'assistant' }>;
type AssistantPart = AssistantMessage['content'][number];

/** A tool as a model is told of it. */
export interface ToolOffer {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JSONSchema7;
}

/** What a model is asked. */
export interface ModelPrompt {
  readonly system: string;
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ToolOffer[];
  /** `none`: the tools are described, because earlier messages speak of them, but must not be called. A model may do so all the same. */
  readonly toolChoice: 'auto' | 'none';
  readonly maxOutputTokens: number;
}

/** A tool call as the model made it. `invalid` when its input is not a JSON value. */
export interface ModelToolCall {
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
  readonly invalid: boolean;
}

/** A sign of life: `text` to show, or thinking and tool input, which are not shown. */
export interface ModelDelta {
  readonly kind: 'text' | 'hidden';
  readonly delta: string;
}

/** What an answer came to. */
export interface ModelAnswer {
  readonly toolCalls: readonly ModelToolCall[];
  readonly finishReason: Extract<LanguageModelV4StreamPart, { type: 'finish' }>['finishReason']['unified'];
  /** The assistant's message as the provider wants it back, thinking and its signatures included. */
  readonly message: ModelMessage;
  /** As the provider reports it; a number is absent when it does not. */
  readonly usage: Partial<CallUsage>;
}

/** The stream of an answer ended before the answer did. */
export class AnswerBrokeOff extends Error {}

/**
 * Makes one model call and yields its answer as it comes. It speaks the providers' own interface: `streamText` of the AI SDK does the same through a dozen
 * streams in a row, which costs milliseconds a call where this costs microseconds. Throws what the provider throws or sends as an error, `AnswerBrokeOff`,
 * or the signal's reason, at once, even when the provider does not react to it.
 */
export async function* streamModel(
  model: LanguageModelV4,
  { system, messages, tools, toolChoice, maxOutputTokens }: ModelPrompt,
  signal: AbortSignal,
): AsyncGenerator<ModelDelta, ModelAnswer> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const answer = new AnswerParts();
  let reader: ReadableStreamDefaultReader<LanguageModelV4StreamPart> | undefined;
  try {
    const call = model.doStream({
      prompt: [{ role: 'system', content: system }, ...messages],
      ...(tools.length > 0 && {
        tools: tools.map((tool): LanguageModelV4FunctionTool => ({ type: 'function', ...tool })),
        toolChoice: { type: toolChoice },
      }),
      maxOutputTokens,
      abortSignal: signal,
    });
    reader = (await Promise.race([call, aborted.promise])).stream.getReader();
    for (;;) {
      const next = await Promise.race([reader.read(), aborted.promise]);
      if (next.done) return answer.finished();
      const delta = answer.add(next.value);
      if (delta) yield delta;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // Does nothing after the end. Before it, the provider is told to stop; how that goes interests nobody any more.
    reader?.cancel(signal.reason).catch(() => {});
  }
}

/** Puts the parts of a streamed answer together. */
class AnswerParts {
  private readonly content: AssistantPart[] = [];
  /** Text and thinking under way, by their id. Several may be. */
  private readonly open = new Map<string, { text: string; providerOptions?: AssistantPart['providerOptions'] }>();
  private readonly toolCalls: ModelToolCall[] = [];
  private finish: Extract<LanguageModelV4StreamPart, { type: 'finish' }> | undefined;

  add(part: LanguageModelV4StreamPart): ModelDelta | undefined {
    switch (part.type) {
      case 'text-start':
      case 'reasoning-start':
        this.begin(part.type === 'text-start' ? 'text' : 'reasoning', part.id, part.providerMetadata);
        return undefined;
      case 'text-delta':
      case 'reasoning-delta':
        this.extend(part.type === 'text-delta' ? 'text' : 'reasoning', part.id, part.delta, part.providerMetadata);
        return { kind: part.type === 'text-delta' ? 'text' : 'hidden', delta: part.delta };
      case 'text-end':
      case 'reasoning-end':
        this.extend(part.type === 'text-end' ? 'text' : 'reasoning', part.id, '', part.providerMetadata);
        return undefined;
      case 'tool-input-start':
        return { kind: 'hidden', delta: part.toolName };
      case 'tool-input-delta':
        return { kind: 'hidden', delta: part.delta };
      case 'tool-call':
        this.call(part);
        return undefined;
      case 'custom':
        this.content.push({ type: 'custom', kind: part.kind, ...(part.providerMetadata && { providerOptions: part.providerMetadata }) });
        return undefined;
      case 'error':
        throw part.error;
      case 'finish':
        this.finish = part;
        return undefined;
      default:
        return undefined;
    }
  }

  finished(): ModelAnswer {
    const reason = this.finish?.finishReason.unified;
    if (!this.finish || !reason || reason === 'interrupted' || reason === 'error') throw new AnswerBrokeOff('the answer broke off');
    const { inputTokens, outputTokens } = this.finish.usage;
    return {
      toolCalls: this.toolCalls,
      finishReason: reason,
      message: {
        role: 'assistant',
        content: this.content.filter((part) => part.type !== 'text' || part.text !== '' || part.providerOptions),
      },
      usage: {
        inputTokens: inputTokens.total,
        outputTokens: outputTokens.total,
        cacheReadTokens: inputTokens.cacheRead,
        cacheWriteTokens: inputTokens.cacheWrite,
      },
    };
  }

  private begin(type: 'text' | 'reasoning', id: string, providerOptions: AssistantPart['providerOptions']) {
    const part = { type, text: '', ...(providerOptions && { providerOptions }) };
    this.content.push(part);
    this.open.set(`${type} ${id}`, part);
    return part;
  }

  private extend(type: 'text' | 'reasoning', id: string, delta: string, providerOptions: AssistantPart['providerOptions']): void {
    const part = this.open.get(`${type} ${id}`) ?? this.begin(type, id, undefined);
    part.text += delta;
    // The signature of a thought comes with its last part.
    if (providerOptions) part.providerOptions = providerOptions;
  }

  private call({ toolCallId, toolName, input, providerMetadata }: Extract<LanguageModelV4StreamPart, { type: 'tool-call' }>): void {
    const parsed = parseInput(input);
    this.toolCalls.push({ id: toolCallId, name: toolName, input: parsed.value, invalid: !parsed.ok });
    // What is not an object is refused by providers when it comes back in the history.
    const shown = typeof parsed.value === 'object' && parsed.value !== null ? parsed.value : {};
    this.content.push({
      type: 'tool-call',
      toolCallId,
      toolName,
      input: shown,
      ...(providerMetadata && { providerOptions: providerMetadata }),
    });
  }
}

function parseInput(input: string): { ok: boolean; value: unknown } {
  if (!input.trim()) return { ok: true, value: {} };
  try {
    return { ok: true, value: JSON.parse(input) as unknown };
  } catch {
    // The model is told so, and tries again.
    return { ok: false, value: undefined };
  }
}
