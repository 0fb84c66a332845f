import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, UseGuards } from '@nestjs/common';
import { scheduleId, tenantId, type EventId, type ScheduleId, type TenantId } from '@rockpool/contracts';
import { tenantSchedule } from '@rockpool/tenancy';
import { z } from 'zod';
import { AdminGuard } from './admin.guard.js';
import { ControlPlane, type ScheduleAction, type ScheduleDetails } from './control-plane.js';

const putBody = z.strictObject({ title: z.string().min(1).max(200), schedule: tenantSchedule });
/** `requestId` names the request, so that it can be repeated. */
const runBody = z.strictObject({ requestId: z.string().min(1).max(100) });

/** What is planned: looked at, made, paused, resumed, fired, removed. */
@Controller('api/v1/tenants/:id/schedules')
@UseGuards(AdminGuard)
export class SchedulesController {
  constructor(private readonly controlPlane: ControlPlane) {}

  @Get()
  async list(@Param('id', { schema: tenantId }) id: TenantId): Promise<{ items: ScheduleDetails[] }> {
    return { items: await this.controlPlane.schedules(id) };
  }

  @Put(':schedule')
  put(
    @Param('id', { schema: tenantId }) id: TenantId,
    @Param('schedule', { schema: scheduleId }) schedule: ScheduleId,
    @Body({ schema: putBody }) body: z.output<typeof putBody>,
  ): Promise<ScheduleDetails> {
    return this.controlPlane.putSchedule(id, schedule, body.title, body.schedule);
  }

  @Delete(':schedule')
  @HttpCode(204)
  async remove(
    @Param('id', { schema: tenantId }) id: TenantId,
    @Param('schedule', { schema: scheduleId }) schedule: ScheduleId,
  ): Promise<void> {
    await this.controlPlane.removeSchedule(id, schedule);
  }

  @Post(':schedule/run')
  @HttpCode(200)
  async run(
    @Param('id', { schema: tenantId }) id: TenantId,
    @Param('schedule', { schema: scheduleId }) schedule: ScheduleId,
    @Body({ schema: runBody }) { requestId }: z.output<typeof runBody>,
  ): Promise<{ eventId: EventId }> {
    return { eventId: await this.controlPlane.runSchedule(id, schedule, requestId) };
  }

  @Post(':schedule/:action')
  @HttpCode(200)
  change(
    @Param('id', { schema: tenantId }) id: TenantId,
    @Param('schedule', { schema: scheduleId }) schedule: ScheduleId,
    @Param('action', { schema: z.enum(['pause', 'resume']) }) wanted: ScheduleAction,
  ): Promise<ScheduleDetails> {
    return this.controlPlane.changeSchedule(id, schedule, wanted);
  }
}
