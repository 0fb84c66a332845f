/**
 * The values of a stream until it ends or the signal aborts, which throws the signal's reason at once: a stream that does not listen to the signal is left to
 * itself, and what it still says or throws is not heard.
 */
export async function* untilAborted<Value>(stream: AsyncIterable<Value>, signal: AbortSignal): AsyncGenerator<Value, void> {
  const iterator = stream[Symbol.asyncIterator]();
  let reject: ((reason: unknown) => void) | undefined;
  const onAbort = (): void => reject?.(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await new Promise<IteratorResult<Value>>((resolve, fail) => {
        reject = fail;
        iterator.next().then(resolve, fail);
      });
      signal.throwIfAborted();
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // Not waited for: it comes to its turn only when the stream does.
    void iterator.return?.().then(undefined, () => undefined);
  }
}
