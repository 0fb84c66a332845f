import { Controller, HttpCode, Post, UseGuards } from '@nestjs/common';
import { services } from '@rockpool/contracts';
import { OidcGuard } from '@rockpool/service';
import { Sweeps, type Swept } from './sweeps.js';

/** What has to be done once a minute, for whoever keeps the time: Cloud Scheduler, with the scheduler's own identity. */
@Controller('internal/sweep')
@UseGuards(OidcGuard({ callers: [services.scheduler] }))
export class SweepController {
  constructor(private readonly sweeps: Sweeps) {}

  @Post()
  @HttpCode(200)
  sweep(): Promise<Swept> {
    return this.sweeps.sweep();
  }
}
