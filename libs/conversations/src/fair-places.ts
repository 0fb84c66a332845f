import { RetryLater, type TenantId } from '@rockpool/contracts';

export interface FairPlacesOptions {
  /** Works at once, of all tenants. */
  readonly total: number;
  /** What one tenant may hold once half of them are taken; until then nobody is limited. */
  readonly perTenant: number;
  /** Works of one tenant that wait here for a place; what comes on top is sent away for a while. */
  readonly waitingPerTenant: number;
}

/**
 * What is sent away comes back one by one, within half a minute: as fast as the tenant's places become free, which for one whose work hangs is hardly ever, and its
 * deliveries cost the others' time.
 */
const soonestMs = 1_000;
const latestMs = 30_000;
const closestMs = 5;
const widestMs = 250;

interface Waiter {
  readonly enter: () => void;
}

/**
 * Places for work, shared fairly between tenants: half of them are free for all, in the other half a tenant has its share, and whoever waits is let in by turns, one
 * of each tenant. So a tenant with twenty times the load, or one whose work hangs, leaves places for the others.
 */
export class FairPlaces {
  #taken = 0;
  readonly #takenBy = new Map<TenantId, number>();
  /** By tenant, in the order of their turns. */
  readonly #waiting = new Map<TenantId, Waiter[]>();
  readonly #lastLeft = new Map<TenantId, number>();
  readonly #nextReturn = new Map<TenantId, number>();

  constructor(private readonly options: FairPlacesOptions) {}

  /** Does the work once there is a place. Rejects with `RetryLater` when too many of this tenant wait already, or when `ending` aborts while it waits. */
  async run<Result>(tenantId: TenantId, ending: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    if (!this.#waiting.has(tenantId) && this.#isFreeFor(tenantId)) this.#take(tenantId);
    else await this.#wait(tenantId, ending);
    try {
      return await work();
    } finally {
      this.#leave(tenantId);
    }
  }

  #isFreeFor(tenantId: TenantId): boolean {
    const { total, perTenant } = this.options;
    return this.#taken < total && (this.#taken < total / 2 || (this.#takenBy.get(tenantId) ?? 0) < perTenant);
  }

  #take(tenantId: TenantId): void {
    this.#taken++;
    this.#takenBy.set(tenantId, (this.#takenBy.get(tenantId) ?? 0) + 1);
  }

  #leave(tenantId: TenantId): void {
    this.#taken--;
    this.#lastLeft.set(tenantId, Date.now());
    const left = this.#takenBy.get(tenantId)! - 1;
    if (left > 0) this.#takenBy.set(tenantId, left);
    else this.#takenBy.delete(tenantId);
    this.#letIn();
  }

  async #wait(tenantId: TenantId, ending: AbortSignal): Promise<void> {
    const line = this.#waiting.get(tenantId) ?? [];
    if (line.length >= this.options.waitingPerTenant)
      throw new RetryLater(this.#returnInMs(tenantId), 'the tenant has all its places in use');
    if (ending.aborted) throw new RetryLater(0, 'the process is shutting down');
    const entered = Promise.withResolvers<void>();
    const waiter = { enter: entered.resolve };
    line.push(waiter);
    this.#waiting.set(tenantId, line);
    const end = () => {
      this.#remove(tenantId, waiter);
      entered.reject(new RetryLater(0, 'the process is shutting down'));
    };
    ending.addEventListener('abort', end, { once: true });
    try {
      await entered.promise;
    } finally {
      ending.removeEventListener('abort', end);
    }
  }

  /** Lets in whoever may enter, one of each tenant by turns. */
  #letIn(): void {
    for (let entered = true; entered;) {
      entered = false;
      for (const [tenantId, line] of [...this.#waiting]) {
        if (!this.#isFreeFor(tenantId)) continue;
        const waiter = line[0]!;
        this.#remove(tenantId, waiter);
        // Behind the others, for its next turn.
        if (this.#waiting.delete(tenantId)) this.#waiting.set(tenantId, line);
        this.#take(tenantId);
        waiter.enter();
        entered = true;
      }
    }
  }

  #remove(tenantId: TenantId, waiter: Waiter): void {
    const line = this.#waiting.get(tenantId);
    const index = line?.indexOf(waiter) ?? -1;
    if (line === undefined || index < 0) return;
    line.splice(index, 1);
    if (line.length === 0) this.#waiting.delete(tenantId);
  }

  #returnInMs(tenantId: TenantId): number {
    const now = Date.now();
    const spacingMs = Math.min(widestMs, Math.max(closestMs, now - (this.#lastLeft.get(tenantId) ?? 0)));
    const at = Math.max(now + soonestMs, (this.#nextReturn.get(tenantId) ?? 0) + spacingMs);
    const capped = at > now + latestMs ? now + soonestMs : at;
    this.#nextReturn.set(tenantId, capped);
    return capped - now;
  }
}
