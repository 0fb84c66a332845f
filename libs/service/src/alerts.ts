import type { Documents } from '@rockpool/cloud';

/** How long an alert that is over can be looked at. */
const keptMs = 7 * 86_400_000;

/** Something that an operator has to know, at `alerts/{id}`. Times are epoch milliseconds. */
export interface Alert {
  readonly id: string;
  /** What it is about: the address of an agent host. */
  readonly subject: string;
  readonly reason: string;
  /** What to do. */
  readonly remedy: string;
  readonly since: number;
  /** When it was over; absent while it is not. */
  readonly overAt?: number;
}

/** What operators have to know, kept where every process and command can read it. */
export class Alerts {
  constructor(
    private readonly documents: Documents,
    private readonly now: () => number = Date.now,
  ) {}

  /** Begins an alert, or gives the one that lasts another reason. */
  async raise({ id, ...facts }: Pick<Alert, 'id' | 'subject' | 'reason' | 'remedy'>): Promise<void> {
    await this.documents.transaction(async (transaction) => {
      const before = (await transaction.get<Alert>(pathOf(id)))?.data;
      const since = before && before.overAt === undefined ? before.since : this.now();
      transaction.set(pathOf(id), { id, ...facts, since } satisfies Alert);
    });
  }

  /** Ends it. Nothing happens when there is none. */
  async clear(id: string): Promise<void> {
    await this.documents.transaction(async (transaction) => {
      const before = (await transaction.get<Alert>(pathOf(id)))?.data;
      if (!before || before.overAt !== undefined) return;
      const overAt = this.now();
      transaction.set(pathOf(id), { ...before, overAt } satisfies Alert, { expireAt: new Date(overAt + keptMs) });
    });
  }

  /** Whether one lasts whose id begins like this. */
  async lasting(idPrefix: string): Promise<boolean> {
    return (await this.list()).some(({ id, overAt }) => overAt === undefined && id.startsWith(idPrefix));
  }

  /** Those that last, and those that were over within a week. */
  async list(): Promise<Alert[]> {
    const { items } = await this.documents.query<Alert>({ from: { collection: 'alerts' } });
    return items.map(({ data }) => data);
  }
}

const pathOf = (id: string) => `alerts/${id}`;
