/** What an agent host is at, now. */
export interface HostWork {
  readonly conversations: number;
  readonly slices: number;
}

/** What an agent host says of itself, at `hosts/{id}`; taken away at an orderly end. Times are epoch milliseconds. */
export interface HostRecord {
  readonly id: string;
  readonly version: string;
  readonly startedAt: number;
  readonly seenAt: number;
  readonly rssBytes: number;
  readonly memoryLimitBytes: number;
  readonly work: HostWork;
  /** How often it says so while it is at work. */
  readonly everyMs: number;
  /** It says so without work, too. */
  readonly isSteady: boolean;
  /** Something starts it anew when it ends. */
  readonly isSupervised: boolean;
  /** The watchdog asked it to finish and end: it does at its next sign of life. */
  readonly drainAskedAt?: number;
  /** The watchdog found that it must have died. */
  readonly diedAt?: number;
  /** Checks in a row that found little memory left. */
  readonly fullChecks?: number;
}

export const hostPaths = {
  hosts: 'hosts',
  host: (id: string) => `hosts/${id}`,
  /** A `RestartHistory`. */
  restarts: 'upkeep/restarts',
} as const;

/** Signs of life that may be missed before a host counts as dead. */
const missedSigns = 3;

/** Whether the host was not heard of although it should have been. */
export function isSilent({ seenAt, everyMs, isSteady, work }: HostRecord, now: number): boolean {
  const isDue = isSteady || work.conversations + work.slices > 0;
  return isDue && now - seenAt > missedSigns * everyMs + 30_000;
}
