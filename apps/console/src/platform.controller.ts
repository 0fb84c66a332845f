import { Controller, Get, Param, Query, UseGuards } from '@nestjs/common';
import type { StoredSpan } from '@rockpool/cloud';
import { z } from 'zod';
import { AdminGuard } from './admin.guard.js';
import { ControlPlane, type Check, type PlatformStatus } from './control-plane.js';

const checksQuery = z.strictObject({ network: z.enum(['true', 'false']).default('true') });

/** How the installation is, and what it did. */
@Controller('api/v1')
@UseGuards(AdminGuard)
export class PlatformController {
  constructor(private readonly controlPlane: ControlPlane) {}

  @Get('status')
  status(): Promise<PlatformStatus> {
    return this.controlPlane.status();
  }

  @Get('checks')
  async checks(@Query({ schema: checksQuery }) { network }: z.output<typeof checksQuery>): Promise<{ items: Check[] }> {
    return { items: await this.controlPlane.checks({ network: network === 'true' }) };
  }

  @Get('traces/:id')
  async trace(@Param('id') id: string): Promise<{ items: StoredSpan[] }> {
    return { items: await this.controlPlane.trace(id) };
  }
}
