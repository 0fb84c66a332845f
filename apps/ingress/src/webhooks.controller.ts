import { Controller, HttpCode, NotFoundException, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { WebhookRequest } from '@rockpool/channels';
import { InvalidInput, tenantId, Unauthenticated, type TenantId } from '@rockpool/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AnswerWait, type WaitedAnswer } from './answer-wait.js';
import { WebhookIntake, type Accepted } from './webhook-intake.js';

const longestWaitSeconds = 120;

/** The webhook endpoints. 2xx only once every event is durable; a body is never echoed. */
@Controller('webhooks')
export class WebhooksController {
  constructor(
    private readonly intake: WebhookIntake,
    private readonly answers: AnswerWait,
  ) {}

  /** The bots of the platform, and Slack apps of tenants that share one request URL. */
  @Post(':channel')
  @HttpCode(200)
  async shared(@Param('channel') channel: string, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    if (channel !== 'telegram' && channel !== 'slack') throw new NotFoundException();
    return respond(reply, await this.intake.accept(channel, undefined, webhookRequestOf(request)));
  }

  /** A tenant's own bot or app. */
  @Post(':channel/:tenant')
  @HttpCode(200)
  async own(
    @Param('channel') channel: string,
    @Param('tenant') tenant: string,
    @Query('wait') wait: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    if (channel === 'http') return this.http(tenantOf(tenant), waitMsOf(wait), request);
    if (channel !== 'telegram' && channel !== 'slack') throw new NotFoundException();
    return respond(reply, await this.intake.accept(channel, tenantOf(tenant), webhookRequestOf(request)));
  }

  /** Standard Webhooks: the sender learns the ids of what it sent, and with `?wait=<seconds>` the answer. */
  private async http(tenant: TenantId, waitMs: number, request: FastifyRequest): Promise<{ events: WaitedAnswer[] }> {
    const { eventIds } = await this.intake.accept('http', tenant, webhookRequestOf(request));
    const events = eventIds.map((eventId) =>
      waitMs > 0 ? this.answers.wait(tenant, eventId, waitMs) : { eventId, state: 'accepted' as const, replies: [] },
    );
    return { events: await Promise.all(events) };
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

function respond(reply: FastifyReply, { response }: Accepted): string {
  if (response) reply.header('content-type', response.contentType);
  return response?.body ?? '';
}

/** The request as it came over the wire; every value of a repeated header is kept, for verifiers that refuse repetition. */
function webhookRequestOf(request: FastifyRequest): WebhookRequest {
  const headers: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  const raw = request.raw.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) (headers[raw[i]!.toLowerCase()] ??= []).push(raw[i + 1]!);
  const body = request.body instanceof Uint8Array ? request.body : new Uint8Array();
  return { method: request.method, headers, query: {}, body, receivedAt: new Date() };
}
