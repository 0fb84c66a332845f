import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { finished } from 'node:stream/promises';
import { systemClock, type Clock } from '../wire/clock.js';
import { Faults } from '../wire/faults.js';
import { isJson, parseJson } from '../wire/json.js';
import { DropConnection, LoopbackServer, type WireAnswer, type WireRequest } from '../wire/loopback-server.js';
import { anthropic } from './anthropic.js';
import { failureAnswer, modelAnswer, type Dialect, type ModelAnswer } from './dialect.js';
import { gemini } from './gemini.js';
import { openAiChat } from './openai-chat.js';
import { openAiResponses } from './openai-responses.js';
import { modelRequest, type ModelRequest } from './request.js';
import { ModelRule, type ModelMatch, type ModelStep } from './script.js';

/** How a {@link ModelSimulator} behaves. */
export interface ModelSimulatorOptions {
  readonly clock?: Clock;
  /** Only this key is let in; any when absent. */
  readonly apiKey?: string;
  /** Names that `GET /v1/models` lists; requests may name any. */
  readonly models?: readonly string[];
  /** What it says when no rule applies; repeats the last user message when absent. */
  readonly fallback?: ModelStep;
}

const echo: ModelStep = { text: (request) => `You said: ${request.lastUserText}` };

/**
 * A model that says what it is told to, over the APIs of OpenAI (`/v1/chat/completions`, `/v1/responses`, `/v1/models`), Anthropic (`/v1/messages`) and
 * Gemini (`/v1beta/models/<model>:generateContent` and `:streamGenerateContent`). Without rules it repeats the last user message.
 *
 * ```ts
 * const model = new ModelSimulator();
 * await model.start(); // OPENAI_BASE_URL is `${model.url}/v1`
 * model.when('weather').reply({ toolCalls: [{ name: 'weather', arguments: { city: 'Delft' } }] }, { text: (request) => `It is ${request.toolResults[0]}` });
 * model.when(/overloaded/).reply({ fail: { status: 529 } }).times(2);
 * ```
 */
export class ModelSimulator {
  readonly faults = new Faults();
  /** Every request that could be read, in the order of arrival. */
  readonly requests: ModelRequest[] = [];
  private readonly clock: Clock;
  private readonly rules: ModelRule[] = [];
  private readonly server: LoopbackServer;

  constructor(private readonly options: ModelSimulatorOptions = {}) {
    this.clock = options.clock ?? systemClock;
    this.server = new LoopbackServer({
      clock: this.clock,
      faults: this.faults,
      operation: (request) => request.path,
      handle: (request) => this.handle(request),
      failure: (status, retryAfterSeconds) => failureAnswer(openAiChat, status, 'simulated failure', retryAfterSeconds),
    });
  }

  /** Starts on the port, or a free one. */
  start(port = 0): Promise<string> {
    return this.server.listen(port);
  }

  close(): Promise<void> {
    return this.server.close();
  }

  get url(): string {
    return this.server.url;
  }

  /**
   * Resolves when every request that was sent before is noted, also those of processes that have ended since: connections are accepted in their order, and
   * this makes one behind them.
   */
  async caughtUp(): Promise<void> {
    const [response] = (await once(get(`${this.url}/v1/models`, { agent: false }), 'response')) as [IncomingMessage];
    await finished(response.resume());
  }

  /** A rule for requests that match; rules are tried in the order they were made. */
  when(match: ModelMatch): ModelRule {
    const rule = new ModelRule(match);
    this.rules.push(rule);
    return rule;
  }

  /** How many requests there were for each conversation. */
  callsByConversation(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { conversation } of this.requests) counts.set(conversation, (counts.get(conversation) ?? 0) + 1);
    return counts;
  }

  /** How many requests match: one more than expected means that something ran twice. */
  count(predicate: (request: ModelRequest) => boolean): number {
    return this.requests.filter(predicate).length;
  }

  private handle(wire: WireRequest): WireAnswer | Promise<WireAnswer> {
    const dialect = dialectOf(wire.path);
    if (!this.isLetIn(wire)) return failureAnswer(dialect ?? openAiChat, 401, 'Incorrect API key provided');
    if (wire.method === 'GET' && wire.path === '/v1/models') return this.list();
    if (!dialect || wire.method !== 'POST') return failureAnswer(openAiChat, 404, `no such endpoint: ${wire.method} ${wire.path}`);
    const body = parseJson(wire.body.toString('utf8'));
    if (!isJson(body)) return failureAnswer(dialect, 400, 'the body is not a JSON object');
    const request = modelRequest(dialect.api, dialect.parse(body, wire.path), { at: this.clock.now(), headers: wire.headers, body });
    if (request.messages.length === 0) return failureAnswer(dialect, 400, 'there are no messages');
    this.requests.push(request);
    return this.answer(dialect, request, this.stepFor(request), wire.signal);
  }

  private stepFor(request: ModelRequest): ModelStep {
    for (const rule of this.rules) {
      const step = rule.stepFor(request);
      if (step) return step;
    }
    return this.options.fallback ?? echo;
  }

  private async answer(dialect: Dialect, request: ModelRequest, step: ModelStep, signal: AbortSignal): Promise<WireAnswer> {
    if (typeof step.fail === 'object') {
      request.outcome = 'failed';
      return failureAnswer(dialect, step.fail.status, 'simulated failure', step.fail.retryAfterSeconds);
    }
    await step.after;
    const text = typeof step.text === 'function' ? step.text(request) : (step.text ?? '');
    const toolCalls = typeof step.toolCalls === 'function' ? step.toolCalls(request) : (step.toolCalls ?? []);
    const answer = modelAnswer(request, this.requests.length, text, toolCalls);
    if (request.stream) {
      const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' };
      return { status: 200, headers, stream: this.frames(dialect, request, answer, step, signal) };
    }
    await this.pause(step.firstTokenMs, request, signal);
    await this.failing(step, request, signal);
    request.outcome = 'answered';
    return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(dialect.whole(answer)) };
  }

  private async *frames(dialect: Dialect, request: ModelRequest, answer: ModelAnswer, step: ModelStep, signal: AbortSignal) {
    const frames = dialect.frames(answer, request);
    const tokens = answer.text.match(/\s*\S+|\s+$/g) ?? [];
    const failAt = step.fail === undefined ? Infinity : (step.failAfterTokens ?? 0);
    await this.pause(step.firstTokenMs, request, signal);
    yield* frames.begin;
    for (const [index, token] of tokens.entries()) {
      if (index >= failAt) await this.failing(step, request, signal);
      if (index > 0) await this.pause(step.betweenTokensMs, request, signal);
      yield frames.token(token);
    }
    await this.failing(step, request, signal);
    yield* frames.end;
    request.outcome = 'answered';
  }

  private async pause(ms: number | undefined, request: ModelRequest, signal: AbortSignal): Promise<void> {
    if (ms) await this.clock.sleep(ms, signal);
    if (signal.aborted) {
      request.outcome = 'abandoned';
      throw new DropConnection();
    }
  }

  private async failing(step: ModelStep, request: ModelRequest, signal: AbortSignal): Promise<void> {
    if (step.fail === undefined) return;
    request.outcome = 'failed';
    if (step.fail === 'hang') await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    throw new DropConnection();
  }

  private isLetIn({ headers, query }: WireRequest): boolean {
    const { apiKey } = this.options;
    if (apiKey === undefined) return true;
    const given = [headers.authorization?.replace(/^Bearer /i, ''), headers['x-api-key'], headers['x-goog-api-key'], query.get('key')];
    return given.includes(apiKey);
  }

  private list(): WireAnswer {
    const data = (this.options.models ?? ['simulated']).map((id) => ({ id, object: 'model', created: 0, owned_by: 'simulator' }));
    return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ object: 'list', data }) };
  }
}

function dialectOf(path: string): Dialect | undefined {
  if (path.endsWith('/chat/completions')) return openAiChat;
  if (path.endsWith('/responses')) return openAiResponses;
  if (path.endsWith('/messages')) return anthropic;
  return /\/models\/[^/:]+:(?:stream)?generateContent$/i.test(path) ? gemini : undefined;
}
