import { Controller, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { Cloud } from '@rockpool/cloud';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CLOUD } from './cloud.module.js';

/** Where the bus delivers that calls its subscribers. */
export const pushPrefix = '/pubsub/';

/** `POST /pubsub/:subscription`: hands what the bus delivers to the engine, which knows whether it is the bus, and answers once it is handled. */
@Controller(pushPrefix)
export class PushController {
  constructor(@Inject(CLOUD) private readonly cloud: Cloud) {}

  @Post(':subscription')
  async push(
    @Param('subscription') subscription: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const body = request.body instanceof Uint8Array ? request.body : new Uint8Array();
    const { status, retryAfterSeconds } = await this.cloud.push!.push(subscription, request.headers.authorization, body);
    reply.code(status);
    if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds));
  }
}
