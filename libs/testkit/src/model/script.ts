import type { ModelRequest, ToolCall } from './request.js';

/** One answer of the model. */
export interface ModelStep {
  /** Answer text; may depend on the request. */
  readonly text?: string | ((request: ModelRequest) => string);
  /** Tools to call, which may depend on the request; the text, if any, comes before. */
  readonly toolCalls?: readonly ToolCall[] | ((request: ModelRequest) => readonly ToolCall[]);
  /** Nothing is said before this resolves. */
  readonly after?: Promise<unknown>;
  /** Before the first token, or before the whole answer when it is not streamed. */
  readonly firstTokenMs?: number;
  readonly betweenTokensMs?: number;
  /** An HTTP error at once; or, after `failAfterTokens` tokens (0 when absent), a closed socket or silence. */
  readonly fail?: { readonly status: number; readonly retryAfterSeconds?: number } | 'drop' | 'hang';
  readonly failAfterTokens?: number;
}

/** Chooses requests: the last user message contains the text, matches the pattern, or a decision of one's own. */
export type ModelMatch = string | RegExp | ((request: ModelRequest) => boolean);

/** What the model does when a request matches. */
export class ModelRule {
  /** How many requests it has answered. */
  hits = 0;
  private steps: readonly ModelStep[] = [];
  private limit = Infinity;

  constructor(private readonly match: ModelMatch) {}

  /**
   * Answers with these steps: the first when the user spoke last, the second after the results of the first step's tools, and so on; the last one is
   * repeated. A string is a step that says it.
   */
  reply(...steps: readonly (string | ModelStep)[]): this {
    if (steps.length === 0) throw new Error('a rule needs at least one step');
    this.steps = steps.map((step) => (typeof step === 'string' ? { text: step } : step));
    return this;
  }

  /** Applies to so many requests, then never again. */
  times(limit: number): this {
    this.limit = limit;
    return this;
  }

  /** The step for this request, or undefined when the rule does not apply; a step that is given counts. */
  stepFor(request: ModelRequest): ModelStep | undefined {
    const { match } = this;
    if (this.steps.length === 0 || this.hits >= this.limit) return undefined;
    if (typeof match === 'string' && !request.lastUserText.includes(match)) return undefined;
    if (match instanceof RegExp && !match.test(request.lastUserText)) return undefined;
    if (typeof match === 'function' && !match(request)) return undefined;
    this.hits++;
    return this.steps[Math.min(request.toolRounds, this.steps.length - 1)];
  }
}
