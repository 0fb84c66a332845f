import { RockpoolError } from '@rockpool/contracts';
import type { AuthClient, GoogleAuth } from 'google-auth-library';
import type { BacklogFigures, BacklogMonitor } from './backlog.js';

const monitoring = 'https://monitoring.googleapis.com';
const scope = 'https://www.googleapis.com/auth/monitoring.read';
/** Written once a minute, readable some minutes later. */
const lookBackMs = 10 * 60_000;
const askAgainAfterMs = 30_000;

interface TimeSeries {
  timeSeries?: { points?: { value?: { int64Value?: string; doubleValue?: number } }[] }[];
}

/** What a {@link MonitoredBacklog} is opened over. */
export interface MonitoredBacklogOptions {
  readonly projectId: string;
  /** Default: Cloud Monitoring, with the process's own credentials. */
  readonly baseUrl?: string;
  readonly authClient?: AuthClient;
  /** Milliseconds since the epoch. Default: the system's clock. */
  readonly now?: () => number;
}

/**
 * The backlog as Cloud Monitoring has it: of all processes, and up to three minutes old. Pub/Sub itself does not tell. Needs `roles/monitoring.viewer`; without it,
 * or while nothing has been measured, there is nothing to tell. https://cloud.google.com/pubsub/docs/monitoring
 */
export class MonitoredBacklog implements BacklogMonitor {
  readonly #now: () => number;
  readonly #known = new Map<string, { at: number; figures: Promise<BacklogFigures | undefined> }>();
  #auth: Promise<GoogleAuth> | undefined;

  constructor(private readonly options: MonitoredBacklogOptions) {
    this.#now = options.now ?? Date.now;
  }

  async figures(subscription: string): Promise<BacklogFigures | undefined> {
    const now = this.#now();
    const known = this.#known.get(subscription);
    if (known !== undefined && now - known.at < askAgainAfterMs) return known.figures;
    const figures = this.#ask(subscription, now);
    this.#known.set(subscription, { at: now, figures });
    figures.catch(() => this.#known.delete(subscription));
    return figures;
  }

  async #ask(subscription: string, now: number): Promise<BacklogFigures | undefined> {
    try {
      const [backlog, ageS] = await Promise.all([
        this.#latest('num_undelivered_messages', subscription, now),
        this.#latest('oldest_unacked_message_age', subscription, now),
      ]);
      return backlog === undefined ? undefined : { backlog, oldestAgeMs: (ageS ?? 0) * 1000 };
    } catch (cause) {
      if ((cause as { status?: unknown }).status === 403) return undefined;
      throw new RockpoolError('unavailable', `Cloud Monitoring does not tell the backlog: ${(cause as Error).message}`, { cause });
    }
  }

  async #latest(metric: string, subscription: string, now: number): Promise<number | undefined> {
    const { projectId, baseUrl = monitoring, authClient } = this.options;
    this.#auth ??= import('google-auth-library').then(
      ({ GoogleAuth: Auth }) => new Auth({ projectId, scopes: scope, ...(authClient && { authClient }) }),
    );
    const url = new URL(`/v3/projects/${projectId}/timeSeries`, baseUrl);
    const filter = `metric.type="pubsub.googleapis.com/subscription/${metric}" AND resource.labels.subscription_id=${JSON.stringify(subscription)}`;
    url.searchParams.set('filter', filter);
    url.searchParams.set('interval.startTime', new Date(now - lookBackMs).toISOString());
    url.searchParams.set('interval.endTime', new Date(now).toISOString());
    url.searchParams.set('pageSize', '1');
    const { data } = await (await this.#auth).request<TimeSeries>({ url: url.href, timeout: 5_000 });
    const value = data.timeSeries?.[0]?.points?.[0]?.value;
    return value === undefined ? undefined : Number(value.int64Value ?? value.doubleValue ?? 0);
  }
}
