/** A second place for verified events, for when the bus takes none. What is in it is handed on in the order it came, at least once, also after a restart. */
export interface EventSpool {
  /** While it is not, what comes has to queue up here, or it would overtake. */
  readonly isEmpty: boolean;
  /** Resolves when the entry is durable. Rejects with `unavailable` when it cannot be made so, or when there is too much already. */
  add(entry: string): Promise<void>;
  /** Stops handing on; what waits is there at the next start. */
  stop(): Promise<void>;
}

/** What a spool does with what it keeps. */
export interface SpoolOutlet {
  /** Hands an entry on; rejects with `unavailable` when that is not possible now. */
  deliver(entry: string): Promise<void>;
  /** Told when the first entry waits, and when all are gone. */
  onChange(what: 'filling' | 'empty'): void;
  /** Told of an entry that nobody can ever take; it is kept aside. */
  onRefused(error: unknown): void;
}
