import { Body, Controller, HttpCode, Post, UseGuards } from '@nestjs/common';
import { conversationId, InvalidInput, services, tenantId } from '@rockpool/contracts';
import { FairPlaces, TurnRunner, type DriveResult } from '@rockpool/conversations';
import { OidcGuard } from '@rockpool/service';
import { z } from 'zod';
import { HostDrain } from './host-drain.js';

const driveRequest = z.object({ tenantId, conversationId, wakeId: z.string().min(1) });

/**
 * Where dispatchers push conversations. Answers once the conversation is drained, which may take as long as its turns do; or with 503 and a time to come back when
 * the tenant has all its places in use. Dispatchers only.
 */
@Controller('internal/conversations')
@UseGuards(OidcGuard({ callers: [services.dispatcher] }))
export class DriveController {
  constructor(
    private readonly runner: TurnRunner,
    private readonly drain: HostDrain,
    private readonly places: FairPlaces,
  ) {}

  @Post('drive')
  @HttpCode(200)
  async drive(@Body() body: unknown): Promise<DriveResult> {
    const request = driveRequest.safeParse(body);
    if (!request.success) throw new InvalidInput('the drive request needs tenantId, conversationId and wakeId', { cause: request.error });
    const { tenantId, conversationId, wakeId } = request.data;
    return this.drain.during('conversations', (signal) =>
      this.places.run(tenantId, signal, () => this.runner.drive(tenantId, conversationId, wakeId, signal)),
    );
  }
}
