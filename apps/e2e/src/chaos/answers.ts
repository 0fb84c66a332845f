import { labelIn, roleOf } from './errands.js';
import type { Stage } from './stage.js';

const token = /\bzq[0-9a-f]{14}\b/g;
const pollMs = 20;

/** Follows the answers as they appear, for what a run shows while it goes on and for recovery times. The verdict does not rely on it. */
export class Answers {
  /** Milliseconds since the epoch at which a message's token first appeared in something the product said. */
  readonly at = new Map<string, number>();
  /** The numbers of the jobs that people were told of, by the tokens of the messages that started them. */
  readonly jobs = new Map<string, string>();
  private readonly acceptedAt = new Map<string, number>();
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly stage: Pick<Stage, 'utterances'>) {
    this.timer = setInterval(() => this.look(), pollMs);
  }

  /** Looks now, rather than at the next poll. */
  look(): void {
    for (const { text, at } of this.stage.utterances()) {
      const { role, token: own } = roleOf({ text });
      const label = role === 'status' && labelIn(text);
      if (label) this.jobs.set(own!, label);
      // Told that work goes on in the background, a person is answered.
      for (const found of role === 'status' ? [own!] : (text.match(token) ?? [])) if (!this.at.has(found)) this.at.set(found, at);
    }
  }

  /** The message was accepted at this time. */
  expect(message: string, at: number): void {
    this.acceptedAt.set(message, at);
  }

  /** From the acceptance to the answer, for every message that has both. An answer that was there first took no time. */
  get waits(): { readonly token: string; readonly acceptedAt: number; readonly ms: number }[] {
    return [...this.acceptedAt].flatMap(([message, accepted]) => {
      const answered = this.at.get(message);
      return answered === undefined ? [] : [{ token: message, acceptedAt: accepted, ms: Math.max(0, answered - accepted) }];
    });
  }

  /** The first answer that appeared after this time. */
  firstAfter(time: number): number | undefined {
    let first: number | undefined;
    for (const at of this.at.values()) if (at > time && (first === undefined || at < first)) first = at;
    return first;
  }

  close(): void {
    clearInterval(this.timer);
  }
}
