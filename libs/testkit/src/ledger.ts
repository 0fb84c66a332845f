import { Random } from './random.js';
import type { DeliveryObserver } from './wire/post-webhook.js';

/** A message of a bot that a person can see, in the order of the screen. */
export interface ShownMessage {
  /** Where it is shown; the simulators name their conversations. */
  readonly conversation: string;
  readonly id: string;
  readonly text: string;
}

/** A finding about one message that was sent. */
export interface Finding {
  readonly token: string;
  readonly conversation: string;
  readonly detail: string;
}

/** What the checker found. `ok` when there is nothing lost, repeated, out of order, misdirected or unasked for. */
export interface Verdict {
  readonly ok: boolean;
  /** Messages made, messages whose webhook got 2xx, messages with an answer. */
  readonly sent: number;
  readonly accepted: number;
  readonly answered: number;
  /** Got 2xx, and there is neither an answer nor another recorded end. */
  readonly lost: readonly Finding[];
  /** More than one visible message answers it. */
  readonly duplicated: readonly Finding[];
  /** Answered before one that had been accepted before this one was first sent. */
  readonly outOfOrder: readonly Finding[];
  /** Answered in a conversation that is not its own. */
  readonly misdirected: readonly Finding[];
  /** Visible messages of a bot that answer nothing that was sent: placeholders left behind, errors, inventions. */
  readonly orphans: readonly ShownMessage[];
}

interface Entry {
  readonly token: string;
  conversation: string;
  firstSent?: number;
  accepted?: number;
  settled?: string;
}

const tokenPattern = /\bzq[0-9a-f]{14}\b/g;

/**
 * The independent judge: it gives every message a token of its own, notes when its webhook was sent and when it got 2xx, and in the end compares that
 * with what people see. An answer is known by the token in it, which an echoing model repeats. It knows nothing of the product.
 *
 * Give it to a simulator as `observer` and it notes by itself; else call {@link sending} and {@link accepted}.
 */
export class Ledger implements DeliveryObserver {
  private readonly entries = new Map<string, Entry>();
  private readonly random: Random;
  private tick = 0;

  constructor(seed: string | number = 1) {
    this.random = new Random(seed);
  }

  /** The text to send: what was given, with a token that no other message has. */
  message(conversation: string, text = 'message'): string {
    const token = `zq${this.random.hex(14)}`;
    this.entries.set(token, { token, conversation });
    return `${text} ${token}`;
  }

  /** Corrects where the answer is expected, when that is known only after sending: a thread under the message itself. */
  expectIn(text: string, conversation: string): void {
    for (const entry of this.known(text)) entry.conversation = conversation;
  }

  /** Notes an attempt to deliver; only the first of a message counts. Texts without a known token are passed over. */
  sending(text: string): void {
    for (const entry of this.known(text)) entry.firstSent ??= ++this.tick;
  }

  /** Notes a 2xx; only the first of a message counts. */
  accepted(text: string): void {
    for (const entry of this.known(text)) {
      entry.firstSent ??= ++this.tick;
      entry.accepted ??= ++this.tick;
    }
  }

  /** Notes another end than an answer: a recorded drop with its reason, a dead letter. The message is not lost then. */
  settled(text: string, reason: string): void {
    for (const entry of this.known(text)) entry.settled = reason;
  }

  /** Accepted messages that have no answer among these yet: what a run waits for. */
  unanswered(shown: readonly ShownMessage[]): string[] {
    const answered = new Set(shown.flatMap(({ text }) => tokensIn(text)));
    return [...this.entries.values()]
      .filter((entry) => entry.accepted !== undefined && entry.settled === undefined && !answered.has(entry.token))
      .map((entry) => entry.token);
  }

  /** Compares. `ignore` leaves out messages that are nobody's answer on purpose: greetings, notices of a cold start. */
  check(shown: readonly ShownMessage[], ignore: (message: ShownMessage) => boolean = () => false): Verdict {
    const answers = new Map<string, { readonly message: ShownMessage; readonly position: number }[]>();
    const orphans: ShownMessage[] = [];
    shown.forEach((message, position) => {
      const tokens = tokensIn(message.text).filter((token) => this.entries.has(token));
      if (tokens.length === 0 && !ignore(message)) orphans.push(message);
      for (const token of tokens) answers.set(token, [...(answers.get(token) ?? []), { message, position }]);
    });

    const entries = [...this.entries.values()];
    const finding = ({ token, conversation }: Entry, detail: string): Finding => ({ token, conversation, detail });
    const lost = entries
      .filter((entry) => entry.accepted !== undefined && entry.settled === undefined && !answers.has(entry.token))
      .map((entry) => finding(entry, 'got 2xx, no answer is visible'));
    const duplicated: Finding[] = [];
    const misdirected: Finding[] = [];
    for (const [token, places] of answers) {
      const entry = this.entries.get(token) as Entry;
      if (places.length > 1) duplicated.push(finding(entry, `answered by ${places.map(({ message }) => message.id).join(', ')}`));
      for (const { message } of places) {
        if (message.conversation !== entry.conversation) misdirected.push(finding(entry, `answered in ${message.conversation}`));
      }
    }
    const positions = new Map([...answers].map(([token, places]) => [token, (places[0] as { position: number }).position]));
    const outOfOrder = this.inversions(positions);
    const accepted = entries.filter((entry) => entry.accepted !== undefined).length;
    const ok = [lost, duplicated, outOfOrder, misdirected, orphans].every((list) => list.length === 0);
    return { ok, sent: entries.length, accepted, answered: answers.size, lost, duplicated, outOfOrder, misdirected, orphans };
  }

  /**
   * One message precedes another when it got 2xx before the other was first sent; messages under way at the same time have no order. In each conversation,
   * going down the screen, an answer is out of order when one above it answers a message that came after.
   */
  private inversions(positions: ReadonlyMap<string, number>): Finding[] {
    const found: Finding[] = [];
    const latest = new Map<string, Entry>();
    for (const [token] of [...positions].sort(([, a], [, b]) => a - b)) {
      const entry = this.entries.get(token) as Entry;
      if (entry.firstSent === undefined) continue;
      const above = latest.get(entry.conversation);
      if (above?.firstSent !== undefined && entry.accepted !== undefined && above.firstSent > entry.accepted) {
        found.push({ token, conversation: entry.conversation, detail: `answered after ${above.token}, which was sent later` });
      }
      if (above?.firstSent === undefined || entry.firstSent > above.firstSent) latest.set(entry.conversation, entry);
    }
    return found;
  }

  private known(text: string): Entry[] {
    return tokensIn(text)
      .map((token) => this.entries.get(token))
      .filter((entry) => entry !== undefined);
  }
}

function tokensIn(text: string): string[] {
  return [...new Set(text.match(tokenPattern) ?? [])];
}
