import type { Readable } from 'node:stream';
import { RetryLater, RockpoolError } from '@rockpool/contracts';

const blockBytes = 16 * 1024;
/** What a body may take without asking: nearly every genuine webhook and chat message is smaller. */
const freeBlocks = 2;
const defaultBudgetBytes = 8 * 1024 * 1024;
const retryAfterMs = 1_000;
/** A body may come in this many pieces, and in more where they have this size on average. No network cuts a body smaller; each piece costs time. */
const anyPieces = 1_000;
const pieceBytes = 64;

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
 * - What bodies have beyond 32 KiB shares one budget. When it is used up, further large bodies are refused with `unavailable` and `Retry-After`; small ones are
 *   read as ever, so that a crowd of large or unfinished bodies does not keep out ordinary messages.
 *
 * Blocks are used again. As garbage they would stay resident until a collection that has no reason to hurry.
 */
export class BodyReader {
  readonly #budgetBlocks: number;
  readonly #spare: Buffer[] = [];
  #held = 0;

  constructor(budgetBytes: number = defaultBudgetBytes) {
    this.#budgetBlocks = Math.floor(budgetBytes / blockBytes);
  }

  /** What bodies that are being read hold of the budget. */
  get heldBytes(): number {
    return this.#held * blockBytes;
  }

  /** Resolves with the bytes. Rejects with `too_large`, `unavailable`, or `invalid` when the stream breaks off; the rest of the body is then nobody's. */
  read(source: Readable, { limitBytes, declaredBytes = 0, known = false }: ReadOptions): Promise<Buffer> {
    if (declaredBytes > limitBytes) return Promise.reject(tooLarge(limitBytes));
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const blocks: Buffer[] = [];
    let length = 0;
    let pieces = 0;
    let held = 0;

    const addBlock = (): boolean => {
      if (!known && blocks.length >= freeBlocks) {
        if (this.#held >= this.#budgetBlocks) return false;
        this.#held++;
        held++;
      }
      blocks.push(this.#spare.pop() ?? Buffer.allocUnsafeSlow(blockBytes));
      return true;
    };
    const take = (piece: Buffer) => {
      if (length + piece.length > limitBytes) return fail(tooLarge(limitBytes));
      if (++pieces > anyPieces && length < pieces * pieceBytes) {
        return fail(new RockpoolError('invalid', 'the body comes in too many pieces'));
      }
      for (let from = 0; from < piece.length;) {
        const at = length % blockBytes;
        if (at === 0 && !addBlock()) return fail(new RetryLater(retryAfterMs, 'too many large bodies are being received at the moment'));
        // A copy: what comes off a socket is a view of a buffer that would be kept alive by it.
        const copied = piece.copy(blocks.at(-1)!, at, from);
        from += copied;
        length += copied;
      }
    };
    const end = () => {
      const body = Buffer.concat(blocks, length);
      settle();
      resolve(body);
    };
    const fail = (error: Error) => {
      settle();
      // Otherwise the rest would be read as fast as it comes, to be thrown away; but tiny pieces take less room thrown away than waiting.
      if (length >= pieces * pieceBytes) source.pause();
      reject(error);
    };
    const broken = (cause?: unknown) => fail(new RockpoolError('invalid', 'the body ended before its time', { cause }));
    const settle = () => {
      this.#held -= held;
      this.#spare.push(...blocks.splice(0, Math.max(0, this.#budgetBlocks - this.#spare.length)));
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
