import { isTerminal, OutcomeUnknown, RetryLater, TerminalError } from '@rockpool/contracts';
import { z } from 'zod';
import { postOnce } from '../provider-call.js';

/** https://core.telegram.org/bots/api#making-requests */
const answer = z.object({
  ok: z.boolean(),
  result: z.unknown().optional(),
  description: z.string().optional().catch(undefined),
  parameters: z.object({ retry_after: z.number().optional() }).optional().catch(undefined),
});

/** Telegram refused a request for what is in it; `description` is its own sentence. */
class TelegramRefusal extends TerminalError {
  constructor(
    method: string,
    readonly description: string,
  ) {
    super(`Telegram refused ${method}: ${description}`);
  }
}

/** The sentence with which Telegram refused a request; `undefined` when the error is anything else. */
export function refusalOf(error: unknown): string | undefined {
  return isTerminal(error) ? (error as Partial<TelegramRefusal>).description : undefined;
}

/** The Bot API for one bot. */
export class TelegramApi {
  constructor(
    private readonly apiUrl: string,
    private readonly botToken: string,
  ) {}

  /**
   * Calls a method once and returns its result. Rejects with `RetryLater` on 429, `TerminalError` on other 4xx (see {@link refusalOf}), `OutcomeUnknown` when no answer came or
   * a gateway gave up on one, an ordinary error on other 5xx and when the request could not be sent.
   */
  async call(method: string, parameters: object): Promise<unknown> {
    const { status, json } = await postOnce(method, `${this.apiUrl}/bot${this.botToken}/${method}`, {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(parameters),
    });
    const parsed = answer.safeParse(json);
    if (parsed.success && parsed.data.ok) return parsed.data.result;
    const description = (parsed.success ? parsed.data.description : undefined) ?? `status ${status}`;
    if (status === 429) {
      const seconds = (parsed.success ? parsed.data.parameters?.retry_after : undefined) ?? 1;
      throw new RetryLater(seconds * 1000, `Telegram limits ${method}: ${description}`, { code: 'rate_limited' });
    }
    if (status >= 400 && status < 500) throw new TelegramRefusal(method, description);
    if (status === 502 || status === 504 || status < 400) throw new OutcomeUnknown(`${method}: ${description}`);
    throw new Error(`Telegram failed ${method}: ${description}`);
  }
}
