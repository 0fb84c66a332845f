import { steadyNow } from '@rockpool/contracts';
/** How long, and how much of, what was read may be believed. Ages in milliseconds, counted from the moment the read began. */
export interface ReadCacheLimits {
  readonly maxAgeMs: number;
  readonly maxEntries: number;
  /** For "there is none", kept apart so that a flood of made-up names cannot push out real ones. */
  readonly absentMaxAgeMs: number;
  readonly maxAbsentEntries: number;
}

interface Entry<Value> {
  readonly value: Promise<Value | undefined>;
  freshUntil: number;
}

/** Remembers reads by key. Reads of one key at the same time are one read; a failed read is not remembered; a read that was forgotten meanwhile neither. */
export class ReadCache<Value> {
  readonly #present = new Map<string, Entry<Value>>();
  readonly #absent = new Map<string, Entry<Value>>();

  constructor(
    private readonly limits: ReadCacheLimits,
    private readonly now: () => number = steadyNow,
  ) {}

  get(key: string, read: () => Promise<Value | undefined>): Promise<Value | undefined> {
    const known = this.#present.get(key) ?? this.#absent.get(key);
    if (known && known.freshUntil > this.now()) return known.value;
    const startedAt = this.now();
    const entry: Entry<Value> = { value: read(), freshUntil: Number.POSITIVE_INFINITY };
    this.#absent.delete(key);
    keep(this.#present, key, entry, this.limits.maxEntries);
    entry.value.then(
      (value) => {
        entry.freshUntil = startedAt + (value === undefined ? this.limits.absentMaxAgeMs : this.limits.maxAgeMs);
        if (value === undefined && this.#present.get(key) === entry) {
          this.#present.delete(key);
          keep(this.#absent, key, entry, this.limits.maxAbsentEntries);
        }
      },
      // The caller of this read gets the rejection; here it only must not be remembered.
      () => this.#present.get(key) === entry && this.#present.delete(key),
    );
    return entry.value;
  }

  forget(keys: Iterable<string>): void {
    for (const key of keys) {
      this.#present.delete(key);
      this.#absent.delete(key);
    }
  }

  clear(): void {
    this.#present.clear();
    this.#absent.clear();
  }
}

/** Re-inserting moves a key to the end, so the first key is the one that was read longest ago. */
function keep<Value>(entries: Map<string, Value>, key: string, value: Value, maxEntries: number): void {
  entries.delete(key);
  entries.set(key, value);
  if (entries.size > maxEntries) entries.delete(entries.keys().next().value as string);
}
