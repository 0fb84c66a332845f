// @ts-check

/** Waits, but not longer than until it is told to go on. */
export class Patience {
  /** @type {() => void} */
  end = () => {};

  /** @param {number} ms */
  async wait(ms) {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.end = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }
}

/** @param {number} attempt From 1. */
export const backoffMs = (attempt) => Math.min(500 * 2 ** (attempt - 1), 15_000) * (0.75 + Math.random() / 2);

/**
 * Follows the conversation for as long as the page is open, and comes back by itself after whatever interrupts it. The events are described in
 * ../src/web/feed-stream.ts.
 */
export class Connection {
  #patience = new Patience();
  #reading = new AbortController();
  #lastId = '';
  #lastByteAt = 0;

  /**
   * @param {string} address
   * @param {{
   *   event: (name: string, data: any) => void,
   *   state: (state: 'connecting' | 'online' | 'offline') => void,
   *   ended: (code: string) => void,
   * }} on `ended` is told once, when coming back by itself would be no use; `run` starts it anew.
   */
  constructor(address, on) {
    this.address = address;
    this.on = on;
    addEventListener('online', () => this.#again());
    addEventListener('offline', () => this.#reading.abort());
    // A phone that slept has a connection that only looks alive.
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && Date.now() - this.#lastByteAt > 20_000) this.#again();
    });
  }

  async run() {
    for (let attempt = 1; ; attempt += 1) {
      this.#tellInterrupted();
      try {
        const code = await this.#read(() => (attempt = 0));
        if (code !== undefined) return this.on.ended(code);
      } catch {
        // Whatever broke the stream, the answer is the same: say so in the bar, wait, and follow again.
      }
      this.#tellInterrupted();
      await this.#patience.wait(backoffMs(Math.max(attempt, 1)));
    }
  }

  #again() {
    this.#reading.abort();
    this.#patience.end();
  }

  #tellInterrupted() {
    this.on.state(navigator.onLine ? 'connecting' : 'offline');
  }

  /** @param {() => void} connected @returns {Promise<string | undefined>} a code when it is over for good */
  async #read(connected) {
    const reading = new AbortController();
    this.#reading = reading;
    this.#lastByteAt = Date.now();
    // The server gives a sign of life every 15 seconds.
    const watchdog = setInterval(() => Date.now() - this.#lastByteAt > 40_000 && reading.abort(), 5_000);
    try {
      const headers = { Accept: 'text/event-stream', ...(this.#lastId && { 'Last-Event-ID': this.#lastId }) };
      const response = await fetch(this.address, { signal: reading.signal, headers });
      if (response.status === 401 || response.status === 403) return 'unauthenticated';
      if (!response.ok || !response.body) throw new Error(`the event stream answered ${response.status}`);
      connected();
      this.on.state('online');
      let rest = '';
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        this.#lastByteAt = Date.now();
        const blocks = (rest + part.value).split('\n\n');
        rest = blocks.pop() ?? '';
        for (const block of blocks) {
          const code = this.#dispatch(block);
          if (code !== undefined) return code;
        }
      }
      return undefined;
    } finally {
      clearInterval(watchdog);
      reading.abort();
    }
  }

  /** @param {string} block One event, as its lines. */
  #dispatch(block) {
    /** @type {Record<string, string>} */
    const fields = {};
    for (const line of block.split('\n')) {
      const colon = line.indexOf(': ');
      if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2);
    }
    if (fields.event === undefined || fields.data === undefined) return undefined;
    const data = JSON.parse(fields.data);
    if (fields.event === 'closed') return String(data.code);
    this.on.event(fields.event, data);
    if (fields.id) this.#lastId = fields.id;
    return undefined;
  }
}
