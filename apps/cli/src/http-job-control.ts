import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { JobControl, type JobDetails, type JobPage } from '@rockpool/console';
import type { TenantId } from '@rockpool/contracts';
import type { JobBudget, JobFilter, JobRecord } from '@rockpool/jobs';
import { path, type ConsoleApi } from './console-api.js';

const defaultPollMs = 1_000;

/** The jobs of a running instance. {@link follow} asks once a second. */
export class HttpJobControl extends JobControl {
  constructor(
    private readonly api: ConsoleApi,
    private readonly pollMs = defaultPollMs,
  ) {
    super();
  }

  override list({ tenantId, conversationId, state, open, limit, cursor }: JobFilter): Promise<JobPage> {
    const route = tenantId === undefined ? 'jobs' : path`tenants/${tenantId}/jobs`;
    return this.api.send(route, { query: { conversation: conversationId, state, open, limit, cursor } });
  }

  override show(tenantId: TenantId, job: string): Promise<JobDetails> {
    return this.api.send(path`tenants/${tenantId}/jobs/${job}`);
  }

  override async *follow(tenantId: TenantId, job: string, signal: AbortSignal): AsyncGenerator<JobDetails, void> {
    let seen: JobDetails | undefined;
    while (!signal.aborted) {
      try {
        const details = await this.api.send<JobDetails>(path`tenants/${tenantId}/jobs/${job}`, { signal });
        if (!isDeepStrictEqual(details, seen)) yield details;
        if (!details.job.open) return;
        seen = details;
        await setTimeout(this.pollMs, undefined, { signal });
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  override cancel(tenantId: TenantId, job: string, reason: string): Promise<JobRecord> {
    return this.api.send(path`tenants/${tenantId}/jobs/${job}/cancel`, { method: 'POST', body: { reason } });
  }

  override retry(tenantId: TenantId, job: string, budget: JobBudget): Promise<JobRecord> {
    return this.api.send(path`tenants/${tenantId}/jobs/${job}/retry`, { method: 'POST', body: budget });
  }

  override answer(tenantId: TenantId, job: string, words: string): Promise<JobRecord> {
    return this.api.send(path`tenants/${tenantId}/jobs/${job}/answer`, { method: 'POST', body: { words } });
  }
}
