import { Random } from '../random.js';

/** What a fault may look at: the operation's name (Telegram or Slack method, path of a model API) and the request as it came. */
export interface FaultSubject {
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/**
 * - `status`: answers with `status` instead of doing it, in the service's own error format; 429 carries `retryAfterSeconds`.
 * - `drop-before`: closes the connection without doing it.
 * - `accept-then-drop`: does it, so that the person sees it, then closes the connection: the caller cannot know.
 * - `delay`: does it `delayMs` later.
 * - `reset`: a TCP reset, without doing it.
 */
export type FaultKind = 'status' | 'drop-before' | 'accept-then-drop' | 'delay' | 'reset';

/** When to strike and how. Without `times` and `probability` it strikes always. */
export interface FaultRule {
  readonly kind: FaultKind;
  /** Name of the operation, a pattern for it, or a decision of one's own. Everything, when absent. */
  readonly match?: string | RegExp | ((subject: FaultSubject) => boolean);
  readonly status?: number;
  readonly retryAfterSeconds?: number;
  readonly delayMs?: number;
  /** Strikes at most so many times. */
  readonly times?: number;
  /** Strikes with this probability, from `seed`. */
  readonly probability?: number;
  readonly seed?: string | number;
}

/** A fault that was added. */
export class Fault {
  /** How often it struck. */
  hits = 0;
  private readonly random: Random;
  private readonly waiting: { readonly hits: number; readonly resolve: () => void }[] = [];

  constructor(
    readonly rule: FaultRule,
    private readonly withdraw: (fault: Fault) => void,
  ) {
    this.random = new Random(rule.seed ?? 1);
  }

  /** It strikes no more. */
  remove(): void {
    this.withdraw(this);
  }

  /** Resolves once it has struck so many times. */
  struck(hits = 1): Promise<void> {
    return this.hits >= hits ? Promise.resolve() : new Promise((resolve) => this.waiting.push({ hits, resolve }));
  }

  /** Decides for one request; a strike is counted. */
  strikes(subject: FaultSubject): boolean {
    const { match, times, probability } = this.rule;
    if (times !== undefined && this.hits >= times) return false;
    if (typeof match === 'string' && match !== subject.operation) return false;
    if (match instanceof RegExp && !match.test(subject.operation)) return false;
    if (typeof match === 'function' && !match(subject)) return false;
    if (probability !== undefined && !this.random.chance(probability)) return false;
    this.hits++;
    for (const waiter of this.waiting) if (this.hits >= waiter.hits) waiter.resolve();
    return true;
  }
}

/** The faults of one simulator, in the order they were added; the first that strikes wins. */
export class Faults {
  private readonly faults = new Set<Fault>();

  add(rule: FaultRule): Fault {
    const fault = new Fault(rule, (which) => this.faults.delete(which));
    this.faults.add(fault);
    return fault;
  }

  clear(): void {
    this.faults.clear();
  }

  /** The rule that strikes this request, if one does. */
  strike(subject: FaultSubject): FaultRule | undefined {
    for (const fault of this.faults) if (fault.strikes(subject)) return fault.rule;
    return undefined;
  }
}
