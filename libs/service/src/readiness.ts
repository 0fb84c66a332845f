import { steadyNow } from '@rockpool/contracts';
import { setTimeout as after } from 'node:timers/promises';
import type { Logger } from './log.js';
import { redactText } from './redact.js';

/** Something that must work for this process to be sent requests. */
export interface ReadinessCheck {
  readonly name: string;
  /** `undefined` when well, else a short reason that may be shown to anyone. */
  check(): Promise<string | undefined> | string | undefined;
}

export interface ReadinessReport {
  readonly ready: boolean;
  readonly reasons: readonly { readonly check: string; readonly reason: string }[];
  /** What is not as it should be, though requests can be served. */
  readonly notices: readonly { readonly check: string; readonly reason: string }[];
}

const checkTimeoutMs = 2_000;
const reportLifetimeMs = 1_000;
const maxReasonLength = 200;

/** Knows whether this process should be sent requests. Apps add their checks to it. */
export class Readiness {
  readonly #log: Logger;
  readonly #checks: ReadinessCheck[] = [];
  readonly #informing: ReadinessCheck[] = [];
  #phase: 'starting' | 'serving' | 'stopping' = 'starting';
  #latest: { report: Promise<ReadinessReport>; at: number } | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  add(check: ReadinessCheck): void {
    this.#checks.push(check);
  }

  /** Adds a check whose reason is shown, and decides nothing. */
  inform(check: ReadinessCheck): void {
    this.#informing.push(check);
  }

  /** From now on the checks decide. */
  open(): void {
    this.#phase = 'serving';
  }

  /** Not ready any more, whatever the checks say. */
  close(): void {
    this.#phase = 'stopping';
  }

  get stopping(): boolean {
    return this.#phase === 'stopping';
  }

  /** Runs the checks side by side, at most once a second: anyone may ask. A check that does not answer within 2 s, or throws, counts as failed. */
  async report(): Promise<ReadinessReport> {
    if (this.#phase !== 'serving') return { ready: false, reasons: [{ check: 'service', reason: this.#phase }], notices: [] };
    if (!this.#latest || steadyNow() - this.#latest.at > reportLifetimeMs) this.#latest = { report: this.#run(), at: steadyNow() };
    return this.#latest.report;
  }

  async #run(): Promise<ReadinessReport> {
    const [reasons, notices] = await Promise.all([this.#reasons(this.#checks), this.#reasons(this.#informing)]);
    return { ready: reasons.length === 0, reasons, notices };
  }

  async #reasons(checks: readonly ReadinessCheck[]): Promise<{ check: string; reason: string }[]> {
    const results = await Promise.all(checks.map(async (check) => ({ check: check.name, reason: await this.#reason(check) })));
    return results.flatMap(({ check, reason }) => (reason === undefined ? [] : [{ check, reason }]));
  }

  async #reason(check: ReadinessCheck): Promise<string | undefined> {
    const patience = new AbortController();
    try {
      const silence = after(checkTimeoutMs, 'did not answer within 2 s', { signal: patience.signal, ref: false });
      const reason = await Promise.race([check.check(), silence]);
      return reason === undefined ? undefined : forAnyone(reason);
    } catch (error) {
      this.#log.warn({ check: check.name, error }, 'readiness check failed');
      return 'failed';
    } finally {
      patience.abort();
    }
  }
}

/** The first line, short, without secrets and without where things lie on this machine. */
function forAnyone(reason: string): string {
  const line = redactText(reason.split('\n', 1)[0]!).replace(/(?<![\w.:/])(?:\/[^\s/;,:]+){2,}\/?/g, '…');
  return line.slice(0, maxReasonLength);
}
