import { Controller, Get, HttpCode, Param, Post, Query, UseGuards } from '@nestjs/common';
import { conversationId, eventId, tenantId, type EventId, type TenantId } from '@rockpool/contracts';
import type { TurnRecord } from '@rockpool/conversations';
import { z } from 'zod';
import { AdminGuard } from './admin.guard.js';
import { ControlPlane, type DeadLetterSummary, type TurnDetails, type TurnPage } from './control-plane.js';

export const turnState = z.enum([
  'pending',
  'running',
  'answered',
  'done',
  'failed',
  'cancelled',
  'quarantined',
  'discarded',
  'dropped',
  'recorded',
]);
/** `_unrouted` holds what reached a shared bot and is nobody's. */
const inboxOwner = z.union([tenantId, z.literal('_unrouted')]).transform((id) => id as TenantId);
/** Whose turns, and of which conversation. */
export const narrowing = { tenant: inboxOwner.optional(), conversation: conversationId.optional() };
const listQuery = z.strictObject({
  ...narrowing,
  state: turnState.optional(),
  /** Only what was received at least this long ago. */
  olderThanMs: z.coerce.number().int().nonnegative().optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(50),
  cursor: z.string().optional(),
});

/** The turns of all conversations, newest first, and what can be done about those that failed. */
@Controller('api/v1')
@UseGuards(AdminGuard)
export class InboxController {
  constructor(private readonly controlPlane: ControlPlane) {}

  @Get('inbox')
  list(@Query({ schema: listQuery }) query: z.output<typeof listQuery>): Promise<TurnPage> {
    return this.controlPlane.inbox({
      ...(query.tenant && { tenantId: query.tenant }),
      ...(query.conversation && { conversationId: query.conversation }),
      ...(query.state && { state: query.state }),
      ...(query.olderThanMs !== undefined && { before: Date.now() - query.olderThanMs }),
      limit: query.limit,
      ...(query.cursor !== undefined && { cursor: query.cursor }),
    });
  }

  @Get('inbox/:tenant/:eventId')
  show(
    @Param('tenant', { schema: inboxOwner }) tenant: TenantId,
    @Param('eventId', { schema: eventId }) event: EventId,
  ): Promise<TurnDetails> {
    return this.controlPlane.turn(tenant, event);
  }

  @Post('inbox/:tenant/:eventId/replay')
  @HttpCode(200)
  replay(
    @Param('tenant', { schema: tenantId }) tenant: TenantId,
    @Param('eventId', { schema: eventId }) event: EventId,
  ): Promise<TurnRecord> {
    return this.controlPlane.replay(tenant, event);
  }

  @Post('inbox/:tenant/:eventId/discard')
  @HttpCode(200)
  discard(
    @Param('tenant', { schema: tenantId }) tenant: TenantId,
    @Param('eventId', { schema: eventId }) event: EventId,
  ): Promise<TurnRecord> {
    return this.controlPlane.discard(tenant, event);
  }

  @Get('dead-letters')
  async deadLetters(): Promise<{ items: (DeadLetterSummary & { subscription: string })[] }> {
    return { items: await this.controlPlane.deadLetters() };
  }

  @Post('dead-letters/replay')
  @HttpCode(200)
  async replayDeadLetters(): Promise<{ replayed: number }> {
    return { replayed: await this.controlPlane.replayDeadLetters() };
  }
}
