import { thisProcess, type Cloud } from '@rockpool/cloud';
import { fireSchedulePath, TerminalError } from '@rockpool/contracts';
import type { Inbox, Wakes } from '@rockpool/conversations';
import {
  ConversationInbox,
  fromFile,
  InboxSchedulePrompts,
  SchedulePrompts,
  ScheduleTasks,
  ScheduleFiring,
  Schedules,
  systemClock,
  type Occurrence,
  type PromptEffect,
} from '@rockpool/jobs';
import type { PlatformConfig } from '@rockpool/service';
import type { Tenants } from '@rockpool/tenancy';
import type { Audiences } from './audiences.js';
import { nameInFile } from './schedules-of-file.js';

interface Parts {
  readonly config: PlatformConfig;
  readonly cloud: Cloud;
  readonly tenants: Tenants;
  readonly inbox: Inbox;
  readonly wakes: Wakes;
  readonly audiences: Audiences;
}

/** Schedules over an open engine. Their tasks go to the scheduler: to its URL on Google, to the process that delivers them on the embedded engine. */
export function schedulesOf({ config, cloud, tenants, inbox, wakes, audiences }: Parts): { schedules: Schedules; firing: ScheduleFiring } {
  const { documents } = cloud;
  const scheduler = (config.ROCKPOOL_ENGINE === 'google' ? config.ROCKPOOL_SCHEDULER_URL : undefined) ?? thisProcess;
  const tasks = new ScheduleTasks(cloud.tasks, { url: scheduler + fireSchedulePath, audience: audiences.scheduler });
  const prompts = new TenantPrompts(tenants, new InboxSchedulePrompts(new ConversationInbox(documents, inbox, wakes, systemClock)));
  const firing = new ScheduleFiring(documents, tasks, prompts, new Map(), systemClock);
  return { schedules: new Schedules(documents, tasks, firing, systemClock), firing };
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
