import { Body, Controller, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import { AdminGuard } from './admin.guard.js';
import { bulkAction, type BulkOperation, type BulkPlan, type BulkRequest } from '@rockpool/platform';
import { ControlPlane } from './control-plane.js';
import { narrowing, turnState } from './inbox.controller.js';

const bulkBody = z
  .strictObject({ action: bulkAction, state: turnState, ...narrowing, olderThanMs: z.number().int().nonnegative().optional() })
  .transform(({ action, state, tenant, conversation, olderThanMs }): BulkRequest => ({
    action,
    state,
    ...(tenant && { tenantId: tenant }),
    ...(conversation && { conversationId: conversation }),
    ...(olderThanMs !== undefined && { before: Date.now() - olderThanMs }),
  }));

/** Replays and discards in bulk: planned, begun, watched, cancelled. */
@Controller('api/v1/operations')
@UseGuards(AdminGuard)
export class OperationsController {
  constructor(private readonly controlPlane: ControlPlane) {}

  @Post('plan')
  @HttpCode(200)
  plan(@Body({ schema: bulkBody }) request: BulkRequest): Promise<BulkPlan> {
    return this.controlPlane.planBulk(request);
  }

  @Post()
  begin(@Body({ schema: bulkBody }) request: BulkRequest): Promise<BulkOperation> {
    return this.controlPlane.beginBulk(request);
  }

  @Get()
  async list(): Promise<{ items: BulkOperation[] }> {
    return { items: await this.controlPlane.operations() };
  }

  @Get(':id')
  show(@Param('id') id: string): Promise<BulkOperation> {
    return this.controlPlane.operation(id);
  }

  @Post(':id/cancel')
  @HttpCode(200)
  cancel(@Param('id') id: string): Promise<BulkOperation> {
    return this.controlPlane.cancelOperation(id);
  }
}
