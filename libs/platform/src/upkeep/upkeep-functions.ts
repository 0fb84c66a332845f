import { operatorWays } from '@rockpool/channels';
import type { Cloud } from '@rockpool/cloud';
import { RetryLater } from '@rockpool/contracts';
import { ExpiredLeases, LooseEnds, type Inbox, type ReplyChannels, type UnresolvedReply } from '@rockpool/conversations';
import { UsageRollUp, type UpkeepFunction } from '@rockpool/jobs';
import { AlertDelivery, Alerts, type AlertFacts, type Logger, type PlatformConfig } from '@rockpool/service';
import { plans, type Credentials, type Tenants } from '@rockpool/tenancy';
import { BacklogWatch, byTenant } from './backlog-watch.js';
import { HostWatch } from './host-watch.js';
import { Retention } from './retention.js';
import type { UpkeepName } from './upkeep-schedules.js';

/** What a function may take, less than the time its task has and than a minute for those that come every minute. */
const everyMinuteMs = 45_000;
const longMs = 240_000;
/** When a function that has more to do is run again. */
const moreAfterMs = 1_000;

export interface UpkeepParts {
  readonly config: Pick<PlatformConfig, 'ROCKPOOL_TELEGRAM_API_URL' | 'ROCKPOOL_SLACK_API_URL' | 'PUBSUB_EMULATOR_HOST'>;
  readonly cloud: Pick<Cloud, 'documents' | 'bus'>;
  readonly tenants: Tenants;
  readonly credentials: Credentials;
  readonly inbox: Inbox;
  readonly channels: ReplyChannels;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly now?: () => number;
}

/** The functions that the platform's schedules run, by name. Each bears being run again, and ends soon after its signal. */
export function upkeepFunctions(parts: UpkeepParts): ReadonlyMap<UpkeepName, UpkeepFunction> {
  const { config, cloud, tenants, credentials, inbox, channels, log, now = Date.now } = parts;
  const { documents, bus } = cloud;
  const alerts = new Alerts(documents, now);
  const leases = new ExpiredLeases(documents);
  const looseEnds = new LooseEnds(documents, channels, {
    now,
    onWarning: (message, error, { tenantId, eventId }) => log.warn({ error, tenantId, eventId }, message),
  });
  const hosts = new HostWatch(documents, tenants, alerts, now);
  const onWarning = (message: string, error: unknown) => log.warn({ error }, message);
  // The emulator tells no figures: to count dead letters there is to take them out of an operator's hand.
  const counted = config.PUBSUB_EMULATOR_HOST === undefined ? { bus } : {};
  const backlog = new BacklogWatch({ documents, ...counted, inbox, alerts, now, onWarning });
  const retention = new Retention(documents, tenants, now);
  const usage = new UsageRollUp(documents, {
    now,
    keptDaysOf: async (tenantId) => plans[(await tenants.get(tenantId))?.spec.plan ?? 'free'].retention.usage,
  });
  const destinations = { telegramApiUrl: config.ROCKPOOL_TELEGRAM_API_URL, slackApiUrl: config.ROCKPOOL_SLACK_API_URL, now };
  const delivery = new AlertDelivery(documents, alerts, async () => operatorWays(await credentials.alertAccess(), destinations), now);

  return new Map<UpkeepName, UpkeepFunction>([
    [
      'leases-and-ledger',
      async (_occurrence, _input, signal) => {
        const until = within(everyMinuteMs, signal);
        await leases.clear(until);
        const { unresolved } = await looseEnds.end(until);
        const facts = byTenant(unresolved).map(([tenantId, count]) =>
          unknownReplies(
            count,
            unresolved.filter((reply) => reply.tenantId === tenantId),
          ),
        );
        // What was not come to may be unresolved, too.
        if (until.aborted) for (const one of facts) await alerts.raise(one);
        else await alerts.settle('unknown-replies-', facts);
      },
    ],
    [
      'watchdog',
      async ({ late }) => {
        await hosts.look();
        await backlog.look({ afterOutage: late });
      },
    ],
    [
      'alerts',
      async (_occurrence, _input, signal) => {
        await delivery.run(within(everyMinuteMs, signal));
      },
    ],
    [
      'usage',
      async (_occurrence, _input, signal) => {
        await usage.run(within(longMs, signal));
      },
    ],
    [
      'retention',
      async (_occurrence, _input, signal) => {
        const forgotten = await retention.run(within(longMs, signal));
        log.info(forgotten, 'what plans keep no longer was deleted');
        if (!forgotten.isComplete) throw new RetryLater(moreAfterMs, 'there is more to delete');
      },
    ],
  ]);
}

function within(ms: number, signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(ms)]);
}

function unknownReplies(count: number, replies: readonly UnresolvedReply[]): AlertFacts {
  const [first] = [...replies].sort((one, other) => one.since - other.since);
  const { tenantId, channel, eventId, since } = first!;
  return {
    id: `unknown-replies-${tenantId}`,
    subject: `answers of ${tenantId} of which nobody knows whether they arrived`,
    reason: `${count} for more than a minute; the oldest at ${channel} since ${new Date(since).toISOString()} (${eventId})`,
    remedy: `rockpool inbox show ${eventId} says what is on record. It is tried again every minute, for a day; see that ${channel} can be reached`,
  };
}
