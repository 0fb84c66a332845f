import { Body, Controller, Get, HttpCode, Param, Post, Query, UseGuards } from '@nestjs/common';
import { conversationId, jobName, tenantId, type TenantId } from '@rockpool/contracts';
import type { JobBudget, JobFilter, JobRecord } from '@rockpool/jobs';
import { z } from 'zod';
import { AdminGuard } from './admin.guard.js';
import { ControlPlane } from './control-plane.js';
import type { JobDetails, JobPage } from './job-control.js';

const listQuery = z
  .strictObject({
    conversation: conversationId.optional(),
    state: z.enum(['queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled']).optional(),
    open: z.stringbool({ truthy: ['true'], falsy: ['false'] }).optional(),
    limit: z.coerce.number().int().min(1).max(1000).default(50),
    cursor: z.string().optional(),
  })
  .transform(({ conversation, state, open, limit, cursor }): JobFilter => ({
    ...(conversation && { conversationId: conversation }),
    ...(state && { state }),
    ...(open !== undefined && { open }),
    limit,
    ...(cursor !== undefined && { cursor }),
  }));
const cancelBody = z.strictObject({ reason: z.string().min(1).max(2_000) });
/** What it may use beyond what it has. */
const retryBody = z
  .strictObject({
    tokens: z.number().int().positive().optional(),
    steps: z.number().int().positive().optional(),
    costUsd: z.number().positive().optional(),
  })
  .transform(({ tokens, steps, costUsd }): JobBudget => ({
    ...(tokens !== undefined && { tokens }),
    ...(steps !== undefined && { steps }),
    ...(costUsd !== undefined && { costUsd }),
  }));
const answerBody = z.strictObject({ words: z.string().min(1).max(50_000) });

/** Long work: looked at, ended, tried again, answered. A job in a path is percent-encoded: `12%2Fresearch`. */
@Controller('api/v1')
@UseGuards(AdminGuard)
export class JobsController {
  constructor(private readonly controlPlane: ControlPlane) {}

  @Get('jobs')
  listAll(@Query({ schema: listQuery }) filter: JobFilter): Promise<JobPage> {
    return this.controlPlane.jobs.list(filter);
  }

  @Get('tenants/:id/jobs')
  list(@Param('id', { schema: tenantId }) id: TenantId, @Query({ schema: listQuery }) filter: JobFilter): Promise<JobPage> {
    return this.controlPlane.jobs.list({ ...filter, tenantId: id });
  }

  @Get('tenants/:id/jobs/:job')
  show(@Param('id', { schema: tenantId }) id: TenantId, @Param('job', { schema: jobName }) job: string): Promise<JobDetails> {
    return this.controlPlane.jobs.show(id, job);
  }

  @Post('tenants/:id/jobs/:job/cancel')
  @HttpCode(200)
  cancel(
    @Param('id', { schema: tenantId }) id: TenantId,
    @Param('job', { schema: jobName }) job: string,
    @Body({ schema: cancelBody }) { reason }: z.output<typeof cancelBody>,
  ): Promise<JobRecord> {
    return this.controlPlane.jobs.cancel(id, job, reason);
  }

  @Post('tenants/:id/jobs/:job/retry')
  @HttpCode(200)
  retry(
    @Param('id', { schema: tenantId }) id: TenantId,
    @Param('job', { schema: jobName }) job: string,
    @Body({ schema: retryBody }) budget: JobBudget,
  ): Promise<JobRecord> {
    return this.controlPlane.jobs.retry(id, job, budget);
  }

  @Post('tenants/:id/jobs/:job/answer')
  @HttpCode(200)
  answer(
    @Param('id', { schema: tenantId }) id: TenantId,
    @Param('job', { schema: jobName }) job: string,
    @Body({ schema: answerBody }) { words }: z.output<typeof answerBody>,
  ): Promise<JobRecord> {
    return this.controlPlane.jobs.answer(id, job, words);
  }
}
