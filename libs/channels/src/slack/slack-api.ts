import { OutcomeUnknown, RetryLater, TerminalError } from '@rockpool/contracts';
import { z } from 'zod';
import { postOnce, retryAfterMs } from '../provider-call.js';

/** https://docs.slack.dev/apis/web-api/#responses */
const answer = z.looseObject({ ok: z.boolean(), error: z.string().optional().catch(undefined) });

/** Refusals that may pass. `team_added_to_org` lasts while a workspace moves into an organisation. */
const passing = new Set(['service_unavailable', 'request_timeout', 'team_added_to_org', 'accesslimited']);
/** "It's possible some aspect of the operation succeeded before the error was raised." */
const undecided = new Set(['fatal_error', 'internal_error']);
const limited = new Set(['ratelimited', 'rate_limited', 'message_limit_exceeded']);

/** Slack's Web API for one installation of an app. */
export class SlackApi {
  constructor(
    private readonly apiUrl: string,
    private readonly botToken: string,
  ) {}

  /**
   * Calls a method once and returns its answer. Rejects with `RetryLater` when Slack limits it, `TerminalError` with Slack's error name when it refuses,
   * `OutcomeUnknown` when no answer came or Slack does not know itself, an ordinary error when Slack is down or the request could not be sent.
   */
  async call(method: string, parameters: object): Promise<Record<string, unknown>> {
    return this.post(method, 'application/json; charset=utf-8', JSON.stringify(parameters));
  }

  /** The same for methods that read: not all of them take JSON, and all take a form. */
  async read(method: string, parameters: Readonly<Record<string, string>>): Promise<Record<string, unknown>> {
    return this.post(method, 'application/x-www-form-urlencoded', new URLSearchParams(parameters).toString());
  }

  private async post(method: string, contentType: string, body: string): Promise<Record<string, unknown>> {
    const { status, headers, json } = await postOnce(method, `${this.apiUrl}/${method}`, {
      headers: { 'content-type': contentType, authorization: `Bearer ${this.botToken}` },
      body,
    });
    const parsed = answer.safeParse(json);
    if (parsed.success && parsed.data.ok) return parsed.data;
    const problem = (parsed.success ? parsed.data.error : undefined) ?? `status ${status}`;
    if (status === 429 || limited.has(problem)) {
      throw new RetryLater(retryAfterMs(headers, 1_000), `Slack limits ${method}: ${problem}`, { code: 'rate_limited' });
    }
    if (undecided.has(problem) || status === 502 || status === 504) throw new OutcomeUnknown(`${method}: ${problem}`);
    if (passing.has(problem) || status >= 500) throw new Error(`Slack failed ${method}: ${problem}`);
    if (status < 400 && !parsed.success) throw new OutcomeUnknown(`${method}: the answer is not Slack's`);
    throw new TerminalError(`Slack refused ${method}: ${problem}`);
  }
}
