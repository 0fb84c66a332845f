import { Body, Controller, HttpCode, Post, UseGuards } from '@nestjs/common';
import { fireSchedule, InvalidInput, RetryLater, services } from '@rockpool/contracts';
import { ScheduleFiring, type Firing } from '@rockpool/jobs';
import { OidcGuard, Shutdown } from '@rockpool/service';

/** A task speaks for the app that made it: whoever makes or resumes schedules. */
const makers = [services.scheduler, services.agentHost, services.dispatcher, services.console];

/** Where the tasks of schedules come. Answers once the occurrence has fired, or needs not; 503 with a time to come back while its upkeep runs. */
@Controller('internal/schedules')
@UseGuards(OidcGuard({ callers: makers }))
export class FireController {
  constructor(
    private readonly firing: ScheduleFiring,
    private readonly shutdown: Shutdown,
  ) {}

  @Post('fire')
  @HttpCode(200)
  async fire(@Body() body: unknown): Promise<Firing> {
    const request = fireSchedule.safeParse(body);
    if (!request.success) throw new InvalidInput('a firing needs tenantId, scheduleId, plannedAt and hop', { cause: request.error });
    const firing = await this.firing.fire(request.data, this.shutdown.signal);
    if (firing.kind === 'held') throw new RetryLater(firing.retryAfterMs, 'its upkeep is running');
    return firing;
  }
}
