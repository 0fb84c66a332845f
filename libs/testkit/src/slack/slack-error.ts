/** A failure of a method: Slack's code, and how long to wait when it is `ratelimited`. */
export class SlackError extends Error {
  constructor(
    readonly code: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(code);
  }
}
