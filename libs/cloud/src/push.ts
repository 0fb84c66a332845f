/** What the bus is to be answered. It delivers again after anything but a 2xx. */
export interface PushAnswer {
  readonly status: number;
  readonly retryAfterSeconds?: number;
}

/** Where a bus delivers that calls its subscribers. Whoever has an HTTP server hands it the requests. */
export interface PushEndpoint {
  /**
   * Takes one delivery: `authorization` and `body` as they came. Resolves once it is handled, with 401 when the caller is not proven to be the bus, and with 404 for a
   * subscription that nobody here handles.
   */
  push(subscription: string, authorization: string | undefined, body: Uint8Array): Promise<PushAnswer>;
}
