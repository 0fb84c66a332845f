export interface SignatureFailureLimits {
  /** Failures of one sender at one endpoint, within the window, that are answered 401. */
  readonly failures: number;
  readonly windowMs: number;
  /** Pairs of sender and endpoint that are remembered; beyond it those longest without a failure are forgotten. */
  readonly pairs: number;
}

const defaultLimits: SignatureFailureLimits = { failures: 20, windowMs: 60_000, pairs: 10_000 };

/** What a failure is answered with. */
export type Verdict =
  | { readonly kind: 'refused' }
  /** `first`: with this one the pair went over its limit. */
  | { readonly kind: 'limited'; readonly retryAfterMs: number; readonly first: boolean };

/**
 * Counts failed signatures by sender and endpoint, in a sliding window. It judges failures only; a request whose signature is right never meets it
 * (docs/decisions/0008).
 */
export class SignatureFailures {
  readonly #refusals = new Map<string, { at: number[]; limited: boolean }>();

  constructor(
    private readonly limits: SignatureFailureLimits = defaultLimits,
    private readonly now: () => number = Date.now,
  ) {}

  /** Notes that a request from this address failed at this endpoint, and says how to answer it. */
  note(address: string, endpoint: string): Verdict {
    const { failures, windowMs } = this.limits;
    const now = this.now();
    const key = `${senderOf(address)} ${endpoint}`;
    const known = this.#refusals.get(key);
    const at = known?.at.filter((time) => time > now - windowMs) ?? [];
    const limited = at.length >= failures;
    if (!limited) at.push(now);
    this.#keep(key, { at, limited });
    return limited ? { kind: 'limited', retryAfterMs: at[0]! + windowMs - now, first: !known?.limited } : { kind: 'refused' };
  }

  /** Re-inserting moves a key to the end, so the first key is the one that failed longest ago. */
  #keep(key: string, refusals: { at: number[]; limited: boolean }): void {
    this.#refusals.delete(key);
    this.#refusals.set(key, refusals);
    if (this.#refusals.size > this.limits.pairs) this.#refusals.delete(this.#refusals.keys().next().value!);
  }
}

/**
 * Who counts as one sender: an IPv4 address, however it is written, or the /64 network of an IPv6 address, within which anybody can have any number of addresses.
 */
export function senderOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped) return mapped[1]!;
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().replace(/%.*$/, '').split('::');
  const groups = (part: string | undefined) => (part ? part.split(':') : []);
  const left = groups(head);
  const zeros = tail === undefined ? 0 : 8 - left.length - groups(tail).length;
  return [...left, ...Array.from({ length: zeros }, () => '0'), ...groups(tail)].slice(0, 4).join(':');
}
