import { Controller, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { WebhookRequest } from '@rockpool/channels';
import { InvalidInput, tenantId, Unauthenticated, type ChannelName, type TenantId } from '@rockpool/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AnswerWait, type WaitedAnswer } from './answer-wait.js';
import { WebhookIntake, type Delivery } from './webhook-intake.js';

const longestWaitSeconds = 120;

/** The webhook endpoints. 2xx only once every event is durable; a body is never echoed. */
@Controller('webhooks')
export class WebhooksController {
  constructor(
    private readonly intake: WebhookIntake,
    private readonly answers: AnswerWait,
  ) {}

  /** The platform's own bot. */
  @Post('telegram')
  @HttpCode(200)
  sharedTelegram(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.take('telegram', undefined, request, reply);
  }

  /** The platform's own app, and apps of tenants that share one request URL. */
  @Post('slack')
  @HttpCode(200)
  sharedSlack(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.take('slack', undefined, request, reply);
  }

  @Post('telegram/:tenant')
  @HttpCode(200)
  telegram(@Param('tenant') tenant: string, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.take('telegram', tenant, request, reply);
  }

  @Post('slack/:tenant')
  @HttpCode(200)
  slack(@Param('tenant') tenant: string, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.take('slack', tenant, request, reply);
  }

  /** Standard Webhooks: the sender learns the ids of what it sent, and with `?wait=<seconds>` the answer. */
  @Post('http/:tenant')
  @HttpCode(200)
  async http(
    @Param('tenant') segment: string,
    @Query('wait') wait: string | undefined,
    @Req() request: FastifyRequest,
  ): Promise<{ events: WaitedAnswer[] }> {
    const tenant = tenantOf(segment);
    const waitMs = waitMsOf(wait);
    const { eventIds } = await this.intake.accept(deliveryOf('http', tenant, request));
    const events = eventIds.map((eventId) =>
      waitMs > 0 ? this.answers.wait(tenant, eventId, waitMs) : { eventId, state: 'accepted' as const, replies: [] },
    );
    return { events: await Promise.all(events) };
  }

  private async take(channel: ChannelName, segment: string | undefined, request: FastifyRequest, reply: FastifyReply): Promise<string> {
    const tenant = segment === undefined ? undefined : tenantOf(segment);
    const { response } = await this.intake.accept(deliveryOf(channel, tenant, request));
    if (response) reply.header('content-type', response.contentType);
    return response?.body ?? '';
  }
}

function tenantOf(segment: string): TenantId {
  const parsed = tenantId.safeParse(segment);
  if (!parsed.success) throw new Unauthenticated('the signature is missing or wrong');
  return parsed.data;
}

function waitMsOf(wait: string | undefined): number {
  if (wait === undefined) return 0;
  if (!/^\d{1,3}$/.test(wait) || Number(wait) > longestWaitSeconds) {
    throw new InvalidInput(`wait is a whole number of seconds from 0 to ${longestWaitSeconds}`);
  }
  return Number(wait) * 1000;
}

/** Addresses are those of connections: a header that names another proves nothing. */
function deliveryOf(channel: ChannelName, tenantId: TenantId | undefined, request: FastifyRequest): Delivery {
  return { channel, tenantId, address: request.raw.socket.remoteAddress ?? '', request: webhookRequestOf(request) };
}

/** The request as it came over the wire; every value of a repeated header is kept, for verifiers that refuse repetition. */
function webhookRequestOf(request: FastifyRequest): WebhookRequest {
  const headers: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  const raw = request.raw.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) (headers[raw[i]!.toLowerCase()] ??= []).push(raw[i + 1]!);
  const body = request.body instanceof Uint8Array ? request.body : new Uint8Array();
  return { method: request.method, headers, query: {}, body, receivedAt: new Date() };
}
