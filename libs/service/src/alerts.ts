import type { Documents } from '@rockpool/cloud';

/** How long an alert that is over can be looked at. */
const keptMs = 7 * 86_400_000;
/** One that begins again so soon was not over: what comes and goes is one alert, and told of once. */
export const settledAfterMs = 120_000;

/** What one way to operators was told of an alert last. */
export interface ToldAlert {
  /** {@link Alert.since} of what was told of. */
  readonly since: number;
  readonly phase: 'begun' | 'over';
  readonly reminders: number;
  readonly at: number;
}

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
  /** By the name of the way to operators. */
  readonly told?: Readonly<Record<string, ToldAlert>>;
}

/** What an alert says. No secret, and no word of what people say. */
export type AlertFacts = Pick<Alert, 'id' | 'subject' | 'reason' | 'remedy'>;

/** What operators have to know, kept where every process and command can read it. */
export class Alerts {
  constructor(
    private readonly documents: Documents,
    private readonly now: () => number = Date.now,
  ) {}

  /** Begins an alert, or gives the one that lasts another reason. One that was over for less than two minutes goes on. */
  async raise({ id, subject, reason, remedy }: AlertFacts): Promise<void> {
    await this.documents.transaction(async (transaction) => {
      const before = (await transaction.get<Alert>(alertPath(id)))?.data;
      const isSame = before?.subject === subject && before.reason === reason && before.remedy === remedy;
      if (before && isSame && before.overAt === undefined) return;
      const goesOn = before && (before.overAt === undefined || this.now() - before.overAt < settledAfterMs);
      const since = goesOn ? before.since : this.now();
      transaction.set(alertPath(id), { id, subject, reason, remedy, since, ...(before?.told && { told: before.told }) } satisfies Alert);
    });
  }

  /** Ends it. Nothing happens when there is none. */
  async clear(id: string): Promise<void> {
    await this.documents.transaction(async (transaction) => {
      const before = (await transaction.get<Alert>(alertPath(id)))?.data;
      if (!before || before.overAt !== undefined) return;
      const ended: Alert = { ...before, overAt: this.now() };
      transaction.set(alertPath(id), ended, alertExpiry(ended));
    });
  }

  /** Makes those whose ids begin like this be the given ones: they are raised, all others that last are over. For whoever looks at everything of a sort again and again. */
  async settle(idPrefix: string, wanted: readonly AlertFacts[]): Promise<void> {
    const ids = new Set(wanted.map(({ id }) => id));
    const lasting = (await this.list()).filter(({ id, overAt }) => overAt === undefined && id.startsWith(idPrefix));
    for (const facts of wanted) await this.raise(facts);
    for (const { id } of lasting) if (!ids.has(id)) await this.clear(id);
  }

  /** Whether one lasts whose id begins like this. */
  async lasting(idPrefix: string): Promise<boolean> {
    return (await this.list()).some(({ id, overAt }) => overAt === undefined && id.startsWith(idPrefix));
  }

  /** Those that last, and those that were over within a week. */
  async list(): Promise<Alert[]> {
    const alerts: Alert[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.documents.query<Alert>({ from: { collection: 'alerts' }, limit: 1000, ...(cursor && { cursor }) });
      alerts.push(...page.items.map(({ data }) => data));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return alerts;
  }
}

export const alertPath = (id: string): string => `alerts/${id}`;

/** When the engine may forget it: not while it lasts. */
export function alertExpiry({ overAt }: Alert): { expireAt: Date } | undefined {
  return overAt === undefined ? undefined : { expireAt: new Date(overAt + keptMs) };
}
