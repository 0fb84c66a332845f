import type { Documents, Transaction } from '@rockpool/cloud';
import type { JobId, TenantId } from '@rockpool/contracts';
import type { Clock } from './clock.js';
import { jobPaths, type JobRecord, type Place } from './job-records.js';
import { longestSliceMs } from './job-tasks.js';

/** How many jobs of one tenant run at once: `min` have places of their own, and up to `max` run while there is room in the places that all share. */
export interface ConcurrencyLimits {
  readonly min: number;
  readonly max: number;
}

export interface JobPlacesOptions {
  /** Places that all tenants share, on top of their own. */
  readonly shared: number;
  readonly limitsOf: (tenantId: TenantId) => ConcurrencyLimits | Promise<ConcurrencyLimits>;
}

/** A place in use. It belongs to the job, not to a slice of it, so that whoever takes over after a crash finds it. */
interface PlaceRecord {
  readonly n: number;
  readonly tenantId: TenantId;
  readonly jobId: JobId;
  /** Beyond any slice that can use it: only what a crash left and nobody took over is freed by time. */
  readonly expiresAt: number;
}

const keptMs = longestSliceMs + 10 * 60_000;
const linePage = 50;

/**
 * Places for jobs, in documents: exact over any number of processes, and without a counter everybody writes. A job that finds none waits in line, by priority and
 * then by time; a place that becomes free goes to the first of another tenant when it is a shared one, so that they take turns.
 */
export class JobPlaces {
  constructor(
    private readonly documents: Documents,
    private readonly options: JobPlacesOptions,
    private readonly clock: Clock,
  ) {}

  /** A place the job may try to take: its own if it has one. `undefined`: none is free now. */
  async find(tenantId: TenantId, jobId?: JobId): Promise<Place | undefined> {
    const { min, max } = await this.options.limitsOf(tenantId);
    const own = await this.inUse(jobPaths.places(tenantId));
    const held = own.find((place) => place.jobId === jobId);
    if (held && held.n < min) return { own: held.n };
    const free = held ? [held.n] : freeOf(max, own);
    const within = free.filter((n) => n < min);
    if (within.length > 0) return { own: anyOf(within) };
    if (free.length === 0) return undefined;
    const shared = await this.inUse(jobPaths.sharedPlaces);
    const heldShared = shared.find((place) => place.tenantId === tenantId && place.jobId === jobId);
    if (heldShared) return { own: anyOf(free), shared: heldShared.n };
    const freeShared = freeOf(this.options.shared, shared);
    return freeShared.length > 0 ? { own: anyOf(free), shared: anyOf(freeShared) } : undefined;
  }

  /** Within a transaction, before its writes: whether the job may have the place still, and what takes it. */
  async take(transaction: Transaction, job: JobRecord, place: Place): Promise<(() => void) | undefined> {
    const paths = pathsOf(job.tenantId, place);
    for (const { path } of paths) {
      const held = (await transaction.get<PlaceRecord>(path))?.data;
      if (held && held.expiresAt > this.clock.now() && !(held.tenantId === job.tenantId && held.jobId === job.jobId)) return undefined;
    }
    const expiresAt = this.clock.now() + keptMs;
    const { tenantId, jobId } = job;
    return () => {
      for (const { path, n } of paths) transaction.set(path, { n, tenantId, jobId, expiresAt } satisfies PlaceRecord);
    };
  }

  /** Within a transaction, before its writes: what frees the job's place, if it has one. */
  async leave(transaction: Transaction, job: JobRecord): Promise<() => void> {
    const held: string[] = [];
    for (const { path } of job.place ? pathsOf(job.tenantId, job.place) : []) {
      const place = (await transaction.get<PlaceRecord>(path))?.data;
      if (place?.tenantId === job.tenantId && place.jobId === job.jobId) held.push(path);
    }
    return () => {
      for (const path of held) transaction.delete(path);
    };
  }

  /** Who may begin now that this place is free: the first in line, or nobody. */
  async nextFor(tenantId: TenantId, place: Place): Promise<JobRecord | undefined> {
    if (place.shared !== undefined) {
      const seen = new Set([tenantId]);
      for (const job of await this.line()) {
        if (seen.has(job.tenantId)) continue;
        seen.add(job.tenantId);
        if (await this.find(job.tenantId, job.jobId)) return job;
      }
    }
    const own = await this.documents.query<JobRecord>({
      from: { collection: jobPaths.jobs(tenantId) },
      orderBy: { field: 'line' },
      limit: 1,
    });
    const first = own.items[0]?.data;
    return first && (await this.find(tenantId, first.jobId)) ? first : undefined;
  }

  /** The first in line, of all tenants. */
  async line(): Promise<JobRecord[]> {
    const page = await this.documents.query<JobRecord>({ from: { group: 'jobs' }, orderBy: { field: 'line' }, limit: linePage });
    return page.items.map(({ data }) => data);
  }

  private async inUse(collection: string): Promise<PlaceRecord[]> {
    const page = await this.documents.query<PlaceRecord>({ from: { collection }, limit: 1000 });
    return page.items.map(({ data }) => data).filter((place) => place.expiresAt > this.clock.now());
  }
}

/** A place in the line: by priority, then by when it came. */
export function lineOf(job: JobRecord, now: number): string {
  const rank = { high: 0, normal: 1, low: 2 }[job.priority];
  return `${rank}:${String(now).padStart(15, '0')}:${job.jobId}`;
}

function pathsOf(tenantId: TenantId, { own, shared }: Place): { path: string; n: number }[] {
  return [
    { path: jobPaths.place(tenantId, own), n: own },
    ...(shared === undefined ? [] : [{ path: jobPaths.sharedPlace(shared), n: shared }]),
  ];
}

function freeOf(count: number, taken: readonly PlaceRecord[]): number[] {
  const numbers = new Set(taken.map((place) => place.n));
  return Array.from({ length: count }, (_, n) => n).filter((n) => !numbers.has(n));
}

/** Not always the first: those who look at the same moment are to find different ones. */
function anyOf(free: readonly number[]): number {
  return free[Math.floor(Math.random() * free.length)]!;
}
