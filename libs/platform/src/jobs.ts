import { thisProcess, type Cloud } from '@rockpool/cloud';
import { runJobSlicePath, type TenantId } from '@rockpool/contracts';
import type { Inbox, ReplyChannels, Wakes } from '@rockpool/conversations';
import {
  ConversationInbox,
  InboxJobOutcomes,
  JobKinds,
  jobPlatform,
  JobTasks,
  StatusMessages,
  systemClock,
  type ConcurrencyLimits,
  type JobPlatform,
  type JobRecord,
} from '@rockpool/jobs';
import type { Logger, PlatformConfig } from '@rockpool/service';
import { plans, type Tenants } from '@rockpool/tenancy';
import type { Audiences } from './audiences.js';
import { leasesOf } from './leases.js';

/** Jobs that run at once beyond what tenants have for themselves, over all processes. */
const sharedPlaces = 64;

interface Parts {
  readonly config: PlatformConfig;
  readonly cloud: Cloud;
  readonly tenants: Tenants;
  readonly inbox: Inbox;
  readonly wakes: Wakes;
  readonly channels: ReplyChannels;
  readonly audiences: Audiences;
}

/** What jobs differ in from process to process. */
export interface JobsOfProcess {
  /** Those it runs. Default: none. */
  readonly kinds?: JobKinds;
  /** Told what went wrong without anybody failing for it. Default: warnings of the process. */
  readonly log?: Pick<Logger, 'warn'>;
}

/** Jobs over an open engine. Their tasks go to the agent host: to its URL on Google, to the process that delivers them on the embedded engine. */
export function jobsOf({ config, cloud, tenants, inbox, wakes, channels, audiences }: Parts): (process?: JobsOfProcess) => JobPlatform {
  const { documents } = cloud;
  const host = (config.ROCKPOOL_ENGINE === 'google' ? config.ROCKPOOL_AGENT_HOST_URL : undefined) ?? thisProcess;
  const status = new StatusMessages(documents, channels, systemClock);
  const conversations = new ConversationInbox(documents, inbox, wakes, systemClock);
  const { holder, leaseMs, mayBeAlive } = leasesOf(config);
  return ({ kinds = new JobKinds([]), log = warnings } = {}) => {
    const onWarning = (message: string, error: unknown, { tenantId, jobId }: JobRecord) => log.warn({ error, tenantId, jobId }, message);
    return jobPlatform({
      documents,
      tasks: new JobTasks(cloud.tasks, { url: host + runJobSlicePath, audience: audiences.agentHost }),
      kinds,
      outcomes: new InboxJobOutcomes(conversations, status, onWarning),
      // It is renewed three times as often: every half minute where nobody says otherwise.
      leases: { holder, leaseMs: 3 * leaseMs, ...(mayBeAlive && { mayBeAlive }) },
      places: { shared: sharedPlaces, limitsOf: (tenantId) => limitsOf(tenants, tenantId) },
      onWarning,
    });
  };
}

const warnings: Pick<Logger, 'warn'> = {
  warn: ({ error, ...where }: { error?: unknown }, message?: string) =>
    process.emitWarning(`${message ?? ''}: ${error instanceof Error ? error.message : String(error)}`, { detail: JSON.stringify(where) }),
};

async function limitsOf(tenants: Tenants, tenantId: TenantId): Promise<ConcurrencyLimits> {
  const tenant = await tenants.get(tenantId);
  // Of a tenant that was removed: its job has a place in which to find that out, and ends.
  if (!tenant) return plans.free.jobs;
  return tenant.spec.limits.jobs ?? plans[tenant.spec.plan].jobs;
}
