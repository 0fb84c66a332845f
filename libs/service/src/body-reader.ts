import type { Readable } from 'node:stream';
import { RetryLater, RockpoolError } from '@rockpool/contracts';

const firstBytes = 4 * 1024;
/** What a body may take without asking: nearly every genuine webhook and chat message is smaller. */
const freeBytes = 32 * 1024;
const defaultBudgetBytes = 24 * 1024 * 1024;
const retryAfterMs = 1_000;

/** One body to be read. */
export interface ReadOptions {
  readonly limitBytes: number;
  /** `Content-Length`, where there is one. It is believed only where it makes the body too large. */
  readonly declaredBytes?: number;
  /** True for a sender that has proven who it is: its body takes nothing of the budget for strangers. */
  readonly known?: boolean;
}

/**
 * Reads request bodies, most of them before anybody knows who sends them, into memory that is bounded for all of them together.
 *
 * - What is over its limit is refused as soon as that is known: by its `Content-Length`, else at the first byte too many.
 * - Memory follows the bytes that have arrived, not the length that was promised, and not the number of pieces they came in: a body sent byte by byte
 *   would otherwise cost a hundred times its length.
 * - All bodies of more than 32 KiB share one budget. When it is used up, further large bodies are refused with `unavailable` and `Retry-After`; small ones are
 *   read as ever, so that a crowd of large or unfinished bodies does not keep out ordinary messages.
 */
export class BodyReader {
  #heldBytes = 0;

  constructor(private readonly budgetBytes: number = defaultBudgetBytes) {}

  /** What bodies that are being read hold of the budget. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Resolves with the bytes. Rejects with `too_large`, `unavailable`, or `invalid` when the stream breaks off; the rest of the body is then nobody's. */
  read(source: Readable, { limitBytes, declaredBytes = 0, known = false }: ReadOptions): Promise<Buffer> {
    if (declaredBytes > limitBytes) return Promise.reject(tooLarge(limitBytes));
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    let bytes = Buffer.allocUnsafe(Math.min(declaredBytes, limitBytes, firstBytes));
    let length = 0;
    let held = 0;
    const hold = (capacity: number): boolean => {
      const wanted = known || capacity <= freeBytes ? 0 : capacity;
      if (this.#heldBytes - held + wanted > this.budgetBytes) return false;
      this.#heldBytes += wanted - held;
      held = wanted;
      return true;
    };
    const take = (chunk: Buffer) => {
      const needed = length + chunk.length;
      if (needed > limitBytes) return fail(tooLarge(limitBytes));
      if (needed > bytes.length) {
        const capacity = Math.min(limitBytes, Math.max(needed, bytes.length * 2, firstBytes));
        if (!hold(capacity)) return fail(new RetryLater(retryAfterMs, 'too many large bodies are being received at the moment'));
        const larger = Buffer.allocUnsafeSlow(capacity);
        bytes.copy(larger, 0, 0, length);
        bytes = larger;
      }
      // A copy: what comes off a socket is a view of a buffer that would be kept alive by it.
      chunk.copy(bytes, length);
      length = needed;
    };
    const end = () => {
      settle();
      resolve(bytes.subarray(0, length));
    };
    const fail = (error: Error) => {
      settle();
      reject(error);
    };
    const broken = (cause?: unknown) => fail(new RockpoolError('invalid', 'the body ended before its time', { cause }));
    const settle = () => {
      hold(0);
      source.off('data', take).off('end', end).off('close', broken).off('error', broken);
      // One that breaks off after it was refused has nobody else to listen to its error.
      source.on('error', () => undefined);
    };
    source.on('data', take).on('end', end).on('close', broken).on('error', broken);
    source.resume();
    return promise;
  }
}

function tooLarge(limitBytes: number): RockpoolError {
  return new RockpoolError('too_large', `the body has more than ${limitBytes} bytes`);
}
