import { thisProcess, type Cloud } from '@rockpool/cloud';
import { fireSchedulePath, TerminalError } from '@rockpool/contracts';
import type { Inbox, ReplyChannels, Wakes } from '@rockpool/conversations';
import {
  ConversationInbox,
  fromFile,
  InboxSchedulePrompts,
  SchedulePrompts,
  ScheduleTasks,
  ScheduleFiring,
  ScheduleSweep,
  Schedules,
  systemClock,
  type Occurrence,
  type PromptEffect,
  type ScheduleRecord,
} from '@rockpool/jobs';
import type { Logger, PlatformConfig } from '@rockpool/service';
import type { Credentials, Tenants } from '@rockpool/tenancy';
import type { Audiences } from './audiences.js';
import { nameInFile } from './schedules-of-file.js';
import { upkeepFunctions } from './upkeep/upkeep-functions.js';
import { ensureUpkeep } from './upkeep/upkeep-schedules.js';

interface Parts {
  readonly config: PlatformConfig;
  readonly cloud: Cloud;
  readonly tenants: Tenants;
  readonly credentials: Credentials;
  readonly channels: ReplyChannels;
  readonly inbox: Inbox;
  readonly wakes: Wakes;
  readonly audiences: Audiences;
}

/** Schedules as the process that fires them has them. */
export interface Upkeep {
  /** Knows the platform's own functions, too. */
  readonly firing: ScheduleFiring;
  readonly sweep: ScheduleSweep;
  /** Makes the platform's own schedules, where they are not made yet. Bears being repeated. */
  ensure(): Promise<void>;
}

/** Schedules over an open engine. Their tasks go to the scheduler: to its URL on Google, to the process that delivers them on the embedded engine. */
export function schedulesOf({ config, cloud, tenants, credentials, channels, inbox, wakes, audiences }: Parts): {
  schedules: Schedules;
  firing: ScheduleFiring;
  upkeepOf: (process: { readonly log: Pick<Logger, 'info' | 'warn'> }) => Upkeep;
} {
  const { documents } = cloud;
  const scheduler = (config.ROCKPOOL_ENGINE === 'google' ? config.ROCKPOOL_SCHEDULER_URL : undefined) ?? thisProcess;
  const tasks = new ScheduleTasks(cloud.tasks, { url: scheduler + fireSchedulePath, audience: audiences.scheduler });
  const prompts = new TenantPrompts(tenants, new InboxSchedulePrompts(new ConversationInbox(documents, inbox, wakes, systemClock)));
  const firing = new ScheduleFiring(documents, tasks, prompts, new Map(), systemClock);
  const schedules = new Schedules(documents, tasks, firing, systemClock);
  const upkeepOf = ({ log }: { readonly log: Pick<Logger, 'info' | 'warn'> }): Upkeep => {
    const functions = upkeepFunctions({ config, cloud, tenants, credentials, channels, inbox, log });
    const firing = new ScheduleFiring(documents, tasks, prompts, functions, systemClock);
    const onWarning = (message: string, error: unknown, { tenantId, scheduleId }: ScheduleRecord) =>
      log.warn({ error, tenantId, scheduleId }, message);
    return {
      firing,
      sweep: new ScheduleSweep(documents, firing, tasks, { clock: systemClock, onWarning }),
      ensure: () => ensureUpkeep(schedules),
    };
  };
  return { schedules, firing, upkeepOf };
}

/** Lets no schedule of a tenant speak that is removed or suspended, nor one that `tenants.yaml` does not describe any more. */
class TenantPrompts extends SchedulePrompts {
  constructor(
    private readonly tenants: Tenants,
    private readonly prompts: SchedulePrompts,
  ) {
    super();
  }

  async put(occurrence: Occurrence, effect: PromptEffect): Promise<void> {
    const { tenantId, scheduleId, createdBy } = occurrence;
    const tenant = await this.tenants.get(tenantId);
    if (!tenant) throw new TerminalError(`tenant ${tenantId} was removed`);
    if (tenant.spec.suspended) throw new TerminalError(`tenant ${tenantId} is suspended`);
    if (createdBy === fromFile && !Object.hasOwn(tenant.spec.schedules ?? {}, nameInFile(scheduleId)))
      throw new TerminalError('tenants.yaml describes it no more');
    await this.prompts.put(occurrence, effect);
  }
}
