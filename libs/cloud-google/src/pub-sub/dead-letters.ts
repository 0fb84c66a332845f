import type { PubSub, v1 } from '@google-cloud/pubsub';
import type { DeadLetter } from '@rockpool/cloud';
import { InvalidInput, RockpoolError } from '@rockpool/contracts';
import { codeOfCall, grpcCode } from '../api-calls.js';
import { burialOf, consumedAttributes } from './attributes.js';
import { deadNameOf } from './topology.js';

const pageOfPull = 1_000;
/** A pull that finds nothing waits so long for something to come; two in a row and the subscription counts as empty. */
const pullWaitMs = 1_500;
const emptyPulls = 2;
/** Letters looked at in one go. Whoever has more sees the first of them. */
const mostLetters = 20_000;

/** A dead letter in hand: leased from its subscription until it is acknowledged or given back. */
interface Letter extends DeadLetter {
  readonly ackId: string;
  /** As they travelled. */
  readonly rawAttributes: Readonly<Record<string, string>>;
  /** Its id in the dead-letter topic. */
  readonly letterId: string;
}

/**
 * The dead letters of all subscriptions. Pub/Sub cannot list what a subscription keeps, so looking at it means pulling everything, and giving it back.
 * While one process looks, another sees less: figures of dead letters are for people.
 */
export class DeadLetters {
  /** One look at a subscription at a time, so that this process at least does not hide letters from itself. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(
    private readonly subscriber: v1.SubscriberClient,
    private readonly client: PubSub,
    private readonly waits: boolean,
  ) {}

  count(subscription: string): Promise<number> {
    return this.#look(subscription, (letters) => Promise.resolve({ result: letters.length, done: [] }));
  }

  list(subscription: string, page: { limit?: number; cursor?: string }): Promise<{ items: DeadLetter[]; nextCursor?: string }> {
    const limit = page.limit ?? 100;
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000) throw new InvalidInput('a page of dead letters has 1 to 1000 of them');
    const after = page.cursor === undefined ? '' : page.cursor;
    if (after !== '' && !/^\d{16}-.+$/.test(after)) throw new InvalidInput(`${after} is no cursor of this bus`);
    return this.#look(subscription, (letters) => {
      const rest = letters.filter((letter) => cursorOf(letter) > after);
      const items = rest.slice(0, limit);
      const more = rest.length > limit ? { nextCursor: cursorOf(items.at(-1)!) } : {};
      return Promise.resolve({ result: { items: items.map(publicPart), ...more }, done: [] });
    });
  }

  /** Gives the chosen letters, oldest first, to `use`; those it resolves for are removed. Resolves with how many. */
  async remove(
    subscription: string,
    messageIds: readonly string[] | undefined,
    use: (letter: DeadLetter & { rawAttributes: Readonly<Record<string, string>> }) => Promise<unknown>,
  ): Promise<number> {
    const wanted = messageIds && new Set(messageIds);
    return this.#look(subscription, async (letters) => {
      const chosen = letters.filter(({ messageId }) => wanted?.has(messageId) ?? true);
      const results = await Promise.allSettled(chosen.map(use));
      const done = chosen.filter((_, index) => results[index]!.status === 'fulfilled');
      const failed = results.find((result) => result.status === 'rejected');
      return { result: done.length, done, ...(failed !== undefined && { error: failed.reason as unknown }) };
    });
  }

  async close(): Promise<void> {
    await this.subscriber.close();
  }

  async #look<Result>(
    subscription: string,
    view: (letters: Letter[]) => Promise<{ result: Result; done: readonly Letter[]; error?: unknown }>,
  ): Promise<Result> {
    const turn = (this.#turns.get(subscription) ?? Promise.resolve()).then(() => this.#lookNow(subscription, view));
    this.#turns.set(
      subscription,
      turn.catch(() => undefined),
    );
    return turn;
  }

  async #lookNow<Result>(
    subscription: string,
    view: (letters: Letter[]) => Promise<{ result: Result; done: readonly Letter[]; error?: unknown }>,
  ): Promise<Result> {
    const path = this.client.subscription(deadNameOf(subscription)).name;
    const letters: Letter[] = [];
    try {
      await this.#pullAll(path, letters);
      letters.sort((one, other) => (cursorOf(one) < cursorOf(other) ? -1 : 1));
      const { result, done, error } = await view(letters);
      await this.#acknowledge(path, done);
      letters.splice(0, letters.length, ...letters.filter((letter) => !done.includes(letter)));
      if (error !== undefined) throw error;
      return result;
    } catch (error) {
      if (codeOfCall(error) === undefined) throw error;
      throw new RockpoolError('unavailable', `the dead letters of ${subscription} cannot be read: ${(error as Error).message}`, {
        cause: error,
      });
    } finally {
      await this.#giveBack(path, letters);
    }
  }

  async #pullAll(subscription: string, letters: Letter[]): Promise<void> {
    const seen = new Set<string>();
    for (let empty = 0; empty < emptyPulls && letters.length < mostLetters;) {
      const found = await this.#pull(subscription);
      empty = found.length === 0 ? empty + 1 : 0;
      for (const letter of found) {
        if (seen.has(letter.letterId)) continue;
        seen.add(letter.letterId);
        letters.push(letter);
      }
    }
  }

  async #pull(subscription: string): Promise<Letter[]> {
    try {
      const [{ receivedMessages }] = await this.subscriber.pull(
        { subscription, maxMessages: pageOfPull, ...(!this.waits && { returnImmediately: true }) },
        { timeout: this.waits ? pullWaitMs : 10_000, retry: null },
      );
      return (receivedMessages ?? []).map(({ ackId, message }) => {
        const letterId = message!.messageId!;
        const deadAt = new Date(Number(message!.publishTime!.seconds) * 1000 + (message!.publishTime!.nanos ?? 0) / 1e6);
        const rawAttributes = message!.attributes ?? {};
        return {
          ackId: ackId!,
          letterId,
          rawAttributes,
          body: message!.data as Uint8Array,
          attributes: consumedAttributes(rawAttributes),
          ...(message!.orderingKey && { orderingKey: message!.orderingKey }),
          deadAt,
          ...burialOf({ messageId: letterId, publishedAtMs: deadAt.getTime(), attributes: rawAttributes }),
        };
      });
    } catch (error) {
      if (this.waits && codeOfCall(error) === grpcCode.deadlineExceeded) return [];
      throw error;
    }
  }

  async #acknowledge(subscription: string, letters: readonly Letter[]): Promise<void> {
    for (const ackIds of chunks(letters)) await this.subscriber.acknowledge({ subscription, ackIds });
  }

  /** Their leases end by themselves when this fails. */
  async #giveBack(subscription: string, letters: readonly Letter[]): Promise<void> {
    for (const ackIds of chunks(letters)) {
      await this.subscriber.modifyAckDeadline({ subscription, ackIds, ackDeadlineSeconds: 0 }).catch(() => undefined);
    }
  }
}

/** Sorts as time does, then as ids do: ids are numbers of up to 20 digits. */
function cursorOf({ deadAt, letterId }: Letter): string {
  return `${String(deadAt.getTime()).padStart(16, '0')}-${letterId.padStart(24, '0')}`;
}

function publicPart(letter: Letter): DeadLetter {
  const { messageId, body, attributes, orderingKey, attempts, reason, publishedAt, deadAt } = letter;
  return { messageId, body, attributes, ...(orderingKey !== undefined && { orderingKey }), attempts, reason, publishedAt, deadAt };
}

function* chunks(letters: readonly Letter[]): Generator<string[]> {
  for (let from = 0; from < letters.length; from += pageOfPull) yield letters.slice(from, from + pageOfPull).map(({ ackId }) => ackId);
}
