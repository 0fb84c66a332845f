import { createHash, randomUUID } from 'node:crypto';
import type { Documents } from '@rockpool/cloud';
import { alertExpiry, alertPath, settledAfterMs, type Alert, type Alerts, type ToldAlert } from './alerts.js';
import { redactText } from './redact.js';

/** What operators are told at once: one alert, or that there are many. */
export interface OperatorNotice {
  /** The same whenever the same is told again, so that who got it already can drop it: a pure function of the alert, its beginning and what is said of it. */
  readonly id: string;
  readonly phase: 'begun' | 'reminder' | 'over' | 'summary';
  /** Plain text, some lines. */
  readonly text: string;
  /** Ids of the alerts that are meant, at most 100. */
  readonly alerts: readonly string[];
}

/** One way to operators. */
export interface OperatorChannel {
  /** Under this name it is on record what it was told. */
  readonly name: string;
  /** Rejects when it was not told, or nobody knows: it is told again a minute later. */
  tell(notice: OperatorNotice): Promise<void>;
}

const remindedAfterMs = 86_400_000;
/** One that came and went while it could be told is not worth a word. */
const worthTellingMs = 60_000;
/** Beyond so many at once, one message says that there are many. */
const singlyAtMost = 10;
const namedInSummary = 10;
const listedInSummary = 100;
const longestWords = 500;
/** Longer than telling ten notices takes. */
const turnMs = 240_000;

interface Due {
  readonly alert: Alert;
  readonly phase: 'begun' | 'reminder' | 'over';
  /** What is on record once it is told. */
  readonly told: ToldAlert;
  /** What tells this from anything else that was or will be said of it. */
  readonly mark: string;
}

/**
 * Tells operators of alerts: once when one begins, once a day while it lasts, once when it is over. What was told is on the alert's own document, for each way by itself, so one
 * that is down is told later and the others not again. One process at a time uses a way; if it dies between telling and writing that down, the same is told again under the same
 * id.
 */
export class AlertDelivery {
  private readonly holder = randomUUID();

  constructor(
    private readonly documents: Documents,
    private readonly alerts: Alerts,
    private readonly ways: () => Promise<readonly OperatorChannel[]>,
    private readonly now: () => number = Date.now,
  ) {}

  /** Resolves with how many messages were sent. A way that fails is an alert itself, for the others to tell of. */
  async run(signal: AbortSignal): Promise<number> {
    const counts = (await this.ways()).map((way) => this.through(way, signal));
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  private async through(way: OperatorChannel, signal: AbortSignal): Promise<number> {
    const id = `operators-${way.name}`;
    const dueNow = async () => {
      const all = await this.alerts.list();
      return all.filter((alert) => alert.id !== id).flatMap((alert) => this.dueOf(alert, way.name) ?? []);
    };
    // Most minutes there is nothing to tell, and nothing is written.
    if ((await dueNow()).length === 0) {
      await this.alerts.clear(id);
      return 0;
    }
    if (!(await this.takeTurn(way))) return 0;
    let sent = 0;
    try {
      // Somebody may have told of it before the turn was ours.
      const due = await dueNow();
      const batches = due.length > singlyAtMost ? [due] : due.map((one) => [one]);
      for (const batch of batches) {
        if (signal.aborted) break;
        await way.tell(noticeOf(batch));
        sent++;
        for (const one of batch) await this.record(one, way.name);
      }
      await this.alerts.clear(id);
    } catch (error) {
      const reason = redactText(error instanceof Error ? error.message : String(error)).slice(0, longestWords);
      const remedy = `see that alerts.${way.name} in tenants.yaml is right and its secret valid; it is tried again every minute`;
      await this.alerts.raise({ id, subject: `telling operators through ${way.name}`, reason, remedy });
    } finally {
      await this.leaveTurn(way);
    }
    return sent;
  }

  private dueOf(alert: Alert, name: string): Due | undefined {
    const { since, overAt, told } = alert;
    const now = this.now();
    const before = told?.[name]?.since === since ? told[name] : undefined;
    const due = (phase: Due['phase'], reminders = 0): Due => ({
      alert,
      phase,
      told: { since, phase: phase === 'over' ? 'over' : 'begun', reminders, at: now },
      mark: `${alert.id} ${since} ${phase} ${reminders}`,
    });
    if (overAt === undefined) {
      if (!before) return due('begun');
      return now - before.at >= remindedAfterMs ? due('reminder', before.reminders + 1) : undefined;
    }
    if (before?.phase === 'over' || now - overAt < settledAfterMs) return undefined;
    return before || overAt - since >= worthTellingMs ? due('over') : undefined;
  }

  private record({ alert, told }: Due, name: string): Promise<void> {
    return this.documents.transaction(async (transaction) => {
      const current = (await transaction.get<Alert>(alertPath(alert.id)))?.data;
      if (!current) return;
      const next: Alert = { ...current, told: { ...current.told, [name]: told } };
      transaction.set(alertPath(alert.id), next, alertExpiry(next));
    });
  }

  private takeTurn({ name }: OperatorChannel): Promise<boolean> {
    return this.documents.transaction(async (transaction) => {
      const path = turnPath(name);
      const turn = (await transaction.get<{ until: number }>(path))?.data;
      const now = this.documents.now();
      if (turn && turn.until > now) return false;
      transaction.set(path, { holder: this.holder, until: now + turnMs });
      return true;
    });
  }

  private leaveTurn({ name }: OperatorChannel): Promise<void> {
    return this.documents.transaction(async (transaction) => {
      const path = turnPath(name);
      if ((await transaction.get<{ holder: string }>(path))?.data.holder === this.holder) transaction.delete(path);
    });
  }
}

const turnPath = (name: string): string => `alert-turns/${name}`;

function noticeOf(batch: readonly Due[]): OperatorNotice {
  const id = `alert_${createHash('sha256')
    .update(batch.map(({ mark }) => mark).join('\n'))
    .digest('hex')
    .slice(0, 32)}`;
  const alerts = batch.slice(0, listedInSummary).map(({ alert }) => alert.id);
  const [only] = batch;
  if (batch.length === 1 && only) return { id, phase: only.phase, text: textOf(only), alerts };
  const count = (phase: Due['phase']) => batch.filter((due) => due.phase === phase).length;
  const lines = batch.slice(0, namedInSummary).map(({ alert, phase }) => `${signs[phase]} ${words(alert.subject)}`);
  const more = batch.length - lines.length;
  const text = [
    `Rockpool has ${batch.length} alerts at once: ${count('begun')} began, ${count('reminder')} last, ${count('over')} are over.`,
    ...lines,
    ...(more > 0 ? [`… and ${more} more.`] : []),
    'rockpool doctor shows them all.',
  ].join('\n');
  return { id, phase: 'summary', text, alerts };
}

const signs = { begun: '🔴', reminder: '🟠', over: '🟢' } as const;

function textOf({ alert, phase }: Due): string {
  const since = `since ${new Date(alert.since).toISOString()}`;
  const head = `${signs[phase]} Rockpool: ${words(alert.subject)}`;
  if (phase === 'over')
    return `${head} is well again. It was: ${words(alert.reason)} (${since} until ${new Date(alert.overAt ?? 0).toISOString()}).`;
  return [head, `${phase === 'reminder' ? 'Still: ' : ''}${words(alert.reason)} (${since})`, `What to do: ${words(alert.remedy)}`].join(
    '\n',
  );
}

/** Errors of others are in reasons. */
function words(text: string): string {
  const clean = redactText(text.replace(/\s+/g, ' ').trim());
  return clean.length > longestWords ? `${clean.slice(0, longestWords).toWellFormed()}…` : clean;
}
