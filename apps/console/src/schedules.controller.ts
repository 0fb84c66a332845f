import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, UseGuards } from '@nestjs/common';
import { platformOwner, scheduleId, tenantId, type EventId, type ScheduleId, type TenantId } from '@rockpool/contracts';
import { tenantSchedule } from '@rockpool/tenancy';
import { z } from 'zod';
import { AdminGuard } from './admin.guard.js';
import { ControlPlane, type ScheduleAction, type ScheduleDetails, type SchedulePage } from './control-plane.js';

const putBody = z.strictObject({ title: z.string().min(1).max(200), schedule: tenantSchedule });
/** `requestId` names the request, so that it can be repeated. */
const runBody = z.strictObject({ requestId: z.string().min(1).max(100) });

/** `platform`: the platform's own upkeep. No tenant can have this name. */
const scheduleOwner = z.union([z.literal(['platform', platformOwner as string]).transform(() => platformOwner), tenantId]);
const listQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(1000).default(100), cursor: z.string().optional() });

/** What is planned: looked at, made, paused, resumed, fired, removed. */
@Controller('api/v1')
@UseGuards(AdminGuard)
export class SchedulesController {
  constructor(private readonly controlPlane: ControlPlane) {}

  @Get('schedules')
  listAll(@Query({ schema: listQuery }) { limit, cursor }: z.output<typeof listQuery>): Promise<SchedulePage> {
    return this.controlPlane.allSchedules({ limit, ...(cursor !== undefined && { cursor }) });
  }

  @Get('tenants/:id/schedules')
  async list(@Param('id', { schema: scheduleOwner }) id: TenantId): Promise<{ items: ScheduleDetails[] }> {
    return { items: await this.controlPlane.schedules(id) };
  }

  @Put('tenants/:id/schedules/:schedule')
  put(
    @Param('id', { schema: scheduleOwner }) id: TenantId,
    @Param('schedule', { schema: scheduleId }) schedule: ScheduleId,
    @Body({ schema: putBody }) body: z.output<typeof putBody>,
  ): Promise<ScheduleDetails> {
    return this.controlPlane.putSchedule(id, schedule, body.title, body.schedule);
  }

  @Delete('tenants/:id/schedules/:schedule')
  @HttpCode(204)
  async remove(
    @Param('id', { schema: scheduleOwner }) id: TenantId,
    @Param('schedule', { schema: scheduleId }) schedule: ScheduleId,
  ): Promise<void> {
    await this.controlPlane.removeSchedule(id, schedule);
  }

  @Post('tenants/:id/schedules/:schedule/run')
  @HttpCode(200)
  async run(
    @Param('id', { schema: scheduleOwner }) id: TenantId,
    @Param('schedule', { schema: scheduleId }) schedule: ScheduleId,
    @Body({ schema: runBody }) { requestId }: z.output<typeof runBody>,
  ): Promise<{ eventId: EventId }> {
    return { eventId: await this.controlPlane.runSchedule(id, schedule, requestId) };
  }

  @Post('tenants/:id/schedules/:schedule/:action')
  @HttpCode(200)
  change(
    @Param('id', { schema: scheduleOwner }) id: TenantId,
    @Param('schedule', { schema: scheduleId }) schedule: ScheduleId,
    @Param('action', { schema: z.enum(['pause', 'resume']) }) wanted: ScheduleAction,
  ): Promise<ScheduleDetails> {
    return this.controlPlane.changeSchedule(id, schedule, wanted);
  }
}
