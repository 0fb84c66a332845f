/** A quartz that is worse than this is broken: parts of a second that a machine's steady clock loses or gains in a second. */
const drift = 200e-6;

/**
 * The time of Firestore, as far as this process can know it: every answer says at what moment of Firestore's it was read, which lies between
 * the sending of the request and the receipt of the answer. The clock of this machine may be wrong, and may be set; neither moves this one.
 */
export class ServerClock {
  #offset = 0;
  #error = Infinity;
  #learntAt = 0;

  /** `steady` counts milliseconds and is never set. */
  constructor(private readonly steady: () => number = () => performance.timeOrigin + performance.now()) {}

  /** Milliseconds since the epoch. Before the first answer that is this machine's time. */
  now(): number {
    return this.steady() + this.#offset;
  }

  /** Reads, and learns what time it is from the moment that the answer is of. */
  async timed<Answer>(read: () => Promise<Answer>, momentOf: (answer: Answer) => { toMillis(): number }): Promise<Answer> {
    const sentAt = this.steady();
    const answer = await read();
    this.#learn(momentOf(answer).toMillis(), sentAt, this.steady());
    return answer;
  }

  /** Quick answers tell the time best. A slow one is believed when it contradicts what is known: the machine may have been asleep. */
  #learn(serverTime: number, sentAt: number, receivedAt: number): void {
    const offset = serverTime - (sentAt + receivedAt) / 2;
    const error = (receivedAt - sentAt) / 2;
    const known = this.#error + (receivedAt - this.#learntAt) * drift;
    if (error > known && Math.abs(offset - this.#offset) <= error + known) return;
    this.#offset = offset;
    this.#error = error;
    this.#learntAt = receivedAt;
  }
}
