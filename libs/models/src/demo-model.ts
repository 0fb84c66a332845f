import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
  LanguageModelV4Usage,
} from '@ai-sdk/provider';
import { demoIntent, demoPlan, type DemoIntent } from './demo-intent.js';
import { estimateTokens } from './tokens.js';

/** Begins every answer of the demo model, so that nobody takes it for a real one. */
export const demoLabel = '[demo model]';

const explanation =
  'This is the demo model: it works offline by a few rules and understands nothing else. For real answers set ANTHROPIC_API_KEY, OPENAI_API_KEY, ' +
  'GEMINI_API_KEY or OPENAI_BASE_URL and restart, or give this tenant a key of its own under agent.keys in tenants.yaml.';

/**
 * A language model that needs no network and no key: deterministic, honest about itself, and with real tool calls, so that the whole path of a message
 * can be tried offline. The first answer of a conversation explains how to set a real model; later ones carry the label alone.
 */
export class DemoModel implements LanguageModelV4 {
  readonly specificationVersion = 'v4';
  readonly provider = 'rockpool.demo';
  readonly modelId = 'demo';
  readonly supportedUrls = {};

  async doGenerate(options: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult> {
    options.abortSignal?.throwIfAborted();
    const reply = replyTo(options);
    const usage = usageOf(options.prompt, reply);
    return 'answer' in reply
      ? { content: [{ type: 'text', text: reply.answer }], finishReason: { unified: 'stop', raw: 'stop' }, usage, warnings: [] }
      : { content: [toolCallOf(options.prompt, reply)], finishReason: { unified: 'tool-calls', raw: 'tool_calls' }, usage, warnings: [] };
  }

  async doStream(options: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    options.abortSignal?.throwIfAborted();
    const parts = partsOf(options);
    return {
      stream: new ReadableStream<LanguageModelV4StreamPart>({
        pull(controller) {
          if (options.abortSignal?.aborted) return controller.error(options.abortSignal.reason);
          const next = parts.next();
          if (next.done) controller.close();
          else controller.enqueue(next.value);
        },
      }),
    };
  }
}

function* partsOf(options: LanguageModelV4CallOptions): Generator<LanguageModelV4StreamPart> {
  const reply = replyTo(options);
  yield { type: 'stream-start', warnings: [] };
  if ('answer' in reply) {
    yield { type: 'text-start', id: 'answer' };
    for (const delta of deltasOf(reply.answer)) yield { type: 'text-delta', id: 'answer', delta };
    yield { type: 'text-end', id: 'answer' };
  } else yield toolCallOf(options.prompt, reply);
  const unified = 'answer' in reply ? 'stop' : 'tool-calls';
  yield { type: 'finish', finishReason: { unified, raw: unified }, usage: usageOf(options.prompt, reply) };
}

/** Six words at a time: enough pieces to see an answer grow. */
function deltasOf(text: string): string[] {
  return text.match(/(?:\S+\s*){1,6}|\s+/g) ?? [text];
}

function replyTo({ prompt, tools, toolChoice }: LanguageModelV4CallOptions): DemoIntent {
  const last = prompt.at(-1);
  const asked = prompt.findLastIndex((message) => message.role === 'user');
  const question = asked < 0 ? '' : textOf(prompt[asked]!);
  const offered = new Set(toolChoice?.type === 'none' ? [] : tools?.map((tool) => tool.name));
  // In the background nobody reads along who would have to be told.
  const isKnown = offered.has('give_up') || prompt.some((message) => message.role === 'assistant' && textOf(message).includes(demoLabel));
  const label = (text: string) => (isKnown ? `${demoLabel} ${text}` : `${demoLabel} ${text}\n\n_${explanation}_`);
  const results = prompt.slice(asked + 1).flatMap((message) => (message.role === 'tool' ? message.content : []));
  // That a turn went on as a job is no result.
  const taken = results.filter((part) => part.type === 'tool-result' && part.toolName !== 'start_job').length;
  const planned = demoPlan(question, offered, taken);
  if (planned) return 'answer' in planned ? { answer: label(planned.answer) } : planned;
  if (taken > 0 && last?.role === 'tool') return { answer: label(last.content.map(resultOf).join('\n\n')) };
  const intent = demoIntent(question, offered);
  return 'answer' in intent ? { answer: label(intent.answer) } : intent;
}

function toolCallOf(prompt: LanguageModelV4Prompt, call: Extract<DemoIntent, { tool: string }>) {
  return { type: 'tool-call' as const, toolCallId: `demo-${prompt.length}`, toolName: call.tool, input: JSON.stringify(call.input) };
}

type ToolPart = Extract<LanguageModelV4Message, { role: 'tool' }>['content'][number];

function resultOf(part: ToolPart): string {
  if (part.type !== 'tool-result') return '';
  const { output, toolName } = part;
  if (output.type === 'text') return output.value;
  if (output.type === 'error-text') return `The tool ${toolName} failed: ${output.value}`;
  return output.type === 'json' || output.type === 'error-json'
    ? JSON.stringify(output.value)
    : `The tool ${toolName} gave nothing that I can read.`;
}

function textOf(message: LanguageModelV4Message): string {
  if (message.role === 'system') return message.content;
  if (message.role === 'tool') return message.content.map(resultOf).join('\n');
  return message.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

function usageOf(prompt: LanguageModelV4Prompt, reply: DemoIntent): LanguageModelV4Usage {
  const input = prompt.reduce((sum, message) => sum + estimateTokens(textOf(message)), 0);
  const output = estimateTokens('answer' in reply ? reply.answer : JSON.stringify(reply));
  return {
    inputTokens: { total: input, noCache: input, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: output, text: output, reasoning: undefined },
  };
}
