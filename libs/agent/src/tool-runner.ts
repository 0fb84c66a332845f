import { TerminalError, type EventId } from '@rockpool/contracts';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { estimateTokens, type ModelToolCall, type ToolMessage, type ToolOffer } from '@rockpool/models';
import { z } from 'zod';
import { abortable } from './abortable.js';
import { cutToolOutput } from './tool-output.js';
import { Scope } from './scope.js';
import type { AgentTool, ToolContext } from './tool.js';

const tracer = trace.getTracer('@rockpool/agent');

/** What came of one tool call. */
export interface ToolOutcome {
  readonly name: string;
  readonly state: 'succeeded' | 'failed';
}

/** More calls than this in one step are answered with an error: a model that wants more is out of hand. */
export const callsPerStep = 8;

/**
 * Runs the tools a model calls. Whatever goes wrong in one becomes a result that the model sees; only the abort of the turn ends it. Outputs are cut, and
 * the calls of one step run side by side.
 */
export class ToolRunner {
  private readonly byName: ReadonlyMap<string, AgentTool>;
  /** The tools as a provider is told of them. */
  readonly offers: readonly ToolOffer[];
  /** Estimated tokens that they take of every prompt. */
  readonly tokens: number;

  constructor(
    tools: readonly AgentTool[],
    private readonly timeoutMs: number,
  ) {
    this.byName = new Map(tools.map((tool) => [tool.name, tool]));
    if (this.byName.size !== tools.length) throw new Error('two tools have the same name');
    this.offers = tools.map(({ name, description, input }) => ({
      name,
      description,
      inputSchema: z.toJSONSchema(input, { io: 'input', target: 'draft-7' }) as ToolOffer['inputSchema'],
    }));
    this.tokens = estimateTokens(JSON.stringify(this.offers));
  }

  /** Resolves with one result for every call, in the order of the calls. Rejects only with the reason of the context's signal. `before`: calls of each tool in this turn, kept up to date. */
  async run(
    calls: readonly ModelToolCall[],
    context: Omit<ToolContext, 'idempotencyKey'> & { readonly eventId: EventId },
    before: Map<string, number> = new Map(),
  ): Promise<{ message: ToolMessage; outcomes: ToolOutcome[] }> {
    const results = await Promise.all(
      calls.map((call, index) =>
        index < callsPerStep
          ? this.one(call, { ...context, idempotencyKey: `${context.eventId}#${call.name}.${counted(before, call.name)}` })
          : { text: `not run: at most ${callsPerStep} tools can be called at once`, failed: true },
      ),
    );
    context.signal.throwIfAborted();
    return {
      message: {
        role: 'tool',
        content: calls.map((call, index) => {
          const { text, failed } = results[index]!;
          return resultOf(call, text, failed);
        }),
      },
      outcomes: calls.map((call, index) => ({ name: this.nameOf(call), state: results[index]!.failed ? 'failed' : 'succeeded' })),
    };
  }

  /** The tool of that name. */
  get(name: string): AgentTool | undefined {
    return this.byName.get(name);
  }

  /** A name to show: the model may invent one of any length and content. */
  nameOf(call: ModelToolCall): string {
    return this.byName.has(call.name) ? call.name : 'unknown';
  }

  private async one(call: ModelToolCall, context: ToolContext): Promise<{ text: string; failed: boolean }> {
    try {
      return { text: await this.call(call, context), failed: false };
    } catch (error) {
      return { text: cutToolOutput(error instanceof Error ? error.message : String(error)) || 'it failed', failed: true };
    }
  }

  /** Runs one call and resolves with what the tool said, cut. Rejects with what went wrong, a `TerminalError` when the call itself is wrong. */
  async call(call: ModelToolCall, context: ToolContext): Promise<string> {
    const span = tracer.startSpan(`execute_tool ${this.nameOf(call)}`, {
      kind: SpanKind.INTERNAL,
      attributes: {
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': this.nameOf(call),
        'gen_ai.tool.call.id': call.id.slice(0, 100),
      },
    });
    const scope = new Scope(context.signal).limit(this.timeoutMs, () => new Error(`it took longer than ${this.timeoutMs / 1000} s`));
    try {
      const tool = this.byName.get(call.name);
      if (!tool) throw new TerminalError('there is no such tool');
      if (call.invalid) throw new TerminalError('the input is not valid JSON');
      const input = tool.input.safeParse(call.input);
      if (!input.success) throw new TerminalError(`the input does not fit: ${z.prettifyError(input.error)}`);
      const text = await abortable(tool.run(input.data, { ...context, signal: scope.signal }), scope.signal);
      return cutToolOutput(text) || '(no output)';
    } catch (error) {
      span.setAttribute('error.type', error instanceof Error ? error.name : 'error');
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      scope.end();
      span.end();
    }
  }
}

/** The result of a call as the model is told of it. */
export function resultOf({ id, name }: ModelToolCall, text: string, failed: boolean): ToolMessage['content'][number] {
  const output = { type: failed ? ('error-text' as const) : ('text' as const), value: text };
  return { type: 'tool-result', toolCallId: id, toolName: name, output };
}

function counted(before: Map<string, number>, name: string): number {
  const nth = before.get(name) ?? 0;
  before.set(name, nth + 1);
  return nth;
}
