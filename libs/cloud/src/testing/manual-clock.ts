/** A clock that stands still until a test moves it. What was to be woken meanwhile is called in order of time, each at its own time. */
export class ManualClock {
  #now: number;
  #alarms: { at: number; callback: () => void }[] = [];
  #watchers: { at: number; resolve: () => void }[] = [];

  constructor(start = Date.parse('2026-03-01T12:00:00Z')) {
    this.#now = start;
  }

  readonly now = (): number => this.#now;

  /** Calls once, when the clock has reached `at`. The function it returns calls it off. */
  readonly wake = (at: number, callback: () => void): (() => void) => {
    let calledOff = false;
    const alarm = { at, callback: () => void (calledOff || callback()) };
    if (at <= this.#now) queueMicrotask(alarm.callback);
    else this.#alarms.push(alarm);
    this.#watchers = this.#watchers.filter((watcher) => watcher.at !== at || watcher.resolve() !== undefined);
    return () => {
      calledOff = true;
      this.#alarms = this.#alarms.filter((other) => other !== alarm);
    };
  };

  /** Resolves when somebody waits for exactly this moment: then the driver has done what it does before it waits. */
  armed(at: number): Promise<void> {
    if (this.#alarms.some((alarm) => alarm.at === at)) return Promise.resolve();
    return new Promise((resolve) => this.#watchers.push({ at, resolve }));
  }

  /** How many wait. */
  get waiting(): number {
    return this.#alarms.length;
  }

  advance(milliseconds: number): void {
    const until = this.#now + milliseconds;
    for (;;) {
      const [next] = this.#alarms.filter(({ at }) => at <= until).sort((one, other) => one.at - other.at);
      if (next === undefined) break;
      this.#alarms = this.#alarms.filter((alarm) => alarm !== next);
      this.#now = next.at;
      next.callback();
    }
    this.#now = until;
  }
}
