// @ts-check
import { Patience, backoffMs } from './connection.js';

/**
 * A message that is not known to have arrived. `waiting`: it is tried again by itself. `refused`: only the person can decide. `accepted`: it arrived and
 * will stand in the feed at any moment.
 * @typedef {{ id: string, text: string, state: 'new' | 'waiting' | 'refused' | 'accepted', note?: string }} Unsent
 */

/**
 * Sends messages one after another, each under an id of its own that it keeps however often it is sent, so that it counts once. What is not sent
 * survives a reload of the page.
 */
export class Outbox {
  #patience = new Patience();
  #busy = false;

  /**
   * @param {string} address
   * @param {string} storageKey
   * @param {{ changed: (message: Unsent) => void, unauthenticated: () => void }} on
   */
  constructor(address, storageKey, on) {
    this.address = address;
    this.storageKey = storageKey;
    this.on = on;
    /** @type {Unsent[]} */
    this.messages = this.#load();
    addEventListener('online', () => this.#patience.end());
  }

  /** @param {string} text */
  add(text) {
    /** @type {Unsent} */
    const message = { id: uuid(), text, state: 'new' };
    this.messages.push(message);
    this.#changed(message);
    void this.send();
  }

  /** @param {Unsent} message */
  retry(message) {
    message.state = 'new';
    this.#changed(message);
    this.#patience.end();
    void this.send();
  }

  /** @param {string} id */
  forget(id) {
    const kept = this.messages.filter((message) => message.id !== id);
    if (kept.length === this.messages.length) return;
    this.messages = kept;
    this.#save();
  }

  async send() {
    if (this.#busy) return;
    this.#busy = true;
    const next = () => this.messages.find((message) => message.state !== 'refused');
    for (let message = next(), attempt = 1; message; message = next(), attempt += 1) {
      const waitMs = await this.#post(message, attempt);
      if (waitMs > 0) await this.#patience.wait(waitMs);
      else attempt = 0;
    }
    this.#busy = false;
  }

  /** @param {Unsent} message @param {number} attempt @returns {Promise<number>} how long to wait before the next try; 0 when this one is settled */
  async #post(message, attempt) {
    let retryAfterMs = 0;
    try {
      const response = await fetch(this.address, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ id: message.id, text: message.text }),
        signal: AbortSignal.timeout(20_000),
      });
      if (response.ok) {
        message.state = 'accepted';
        this.forget(message.id);
        this.on.changed(message);
        return 0;
      }
      if (response.status < 500 && response.status !== 408 && response.status !== 429) {
        const problem = await response.json().catch(() => ({}));
        message.state = 'refused';
        message.note = response.status === 401 ? 'Not sent: the session has ended.' : `Not sent: ${problem.detail ?? 'it was refused'}.`;
        this.#changed(message);
        if (response.status === 401) this.on.unauthenticated();
        return 0;
      }
      retryAfterMs = Number(response.headers.get('retry-after')) * 1000 || 0;
    } catch {
      // No answer came. It may have arrived all the same; sent again under the same id it counts once.
    }
    message.state = 'waiting';
    message.note = navigator.onLine ? 'Not sent yet, trying again.' : 'Will be sent when you are back online.';
    this.#changed(message);
    return Math.max(retryAfterMs, backoffMs(attempt));
  }

  /** @param {Unsent} message */
  #changed(message) {
    this.#save();
    this.on.changed(message);
  }

  #save() {
    try {
      sessionStorage.setItem(this.storageKey, JSON.stringify(this.messages));
    } catch {
      // Storage can be full or forbidden; messages are then kept only as long as the page.
    }
  }

  /** @returns {Unsent[]} */
  #load() {
    try {
      return JSON.parse(sessionStorage.getItem(this.storageKey) ?? '[]');
    } catch {
      return [];
    }
  }
}

/** `crypto.randomUUID` exists only over TLS and on localhost; the page is also used over plain HTTP in a local network. */
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
