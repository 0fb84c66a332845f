import { Body, Controller, HttpCode, Post, UseGuards } from '@nestjs/common';
import { InvalidInput, RetryLater, runJobSlice, services } from '@rockpool/contracts';
import { JobRunner, longestSliceMs, type SliceResult } from '@rockpool/jobs';
import { OidcGuard } from '@rockpool/service';
import { HostDrain } from './host-drain.js';

/** A task speaks for the app that made it: whoever starts, resumes, mends or cancels jobs. */
const makers = [services.agentHost, services.scheduler, services.dispatcher, services.console];

/** What a request needs on its way, out of the time that its task is given. */
const travelMs = 10_000;
/** After a host was told to end; another one, or its next start, takes the job at once. */
const givenBackMs = 1_000;

/** Where the tasks of jobs come. Answers once the slice is over, which may take half an hour; with 503 and a time to come back when the job is held, or was given back. */
@Controller('internal/jobs')
@UseGuards(OidcGuard({ callers: makers }))
export class SliceController {
  constructor(
    private readonly runner: JobRunner,
    private readonly drain: HostDrain,
  ) {}

  @Post('run')
  @HttpCode(200)
  async run(@Body() body: unknown): Promise<SliceResult> {
    const task = runJobSlice.safeParse(body);
    if (!task.success) throw new InvalidInput('a slice needs tenantId, jobId and slice', { cause: task.error });
    const deadline = Date.now() + longestSliceMs - travelMs;
    const result = await this.drain.during('slices', (signal) => this.runner.slice(task.data, { signal, deadline }));
    if (result.kind === 'held') throw new RetryLater(result.retryAfterMs, 'the job is held');
    if (result.kind === 'given-back') throw new RetryLater(givenBackMs, 'this agent host is shutting down');
    return result;
  }
}
