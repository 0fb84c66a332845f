import { Body, Controller, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { InvalidInput } from '@rockpool/contracts';
import { CONFIG, type PlatformConfig } from '@rockpool/service';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { WebAccess } from './web-access.js';
import { WebChat } from './web-chat.js';
import { WebPages, securityHeaders, type ServedFile } from './web-pages.js';
import { assertOwnSite, credentialsOf, sessionCookie } from './web-request.js';
import { WebStreams } from './web-streams.js';

const yearSeconds = 31_536_000;

/** The web chat over HTTP: the page, its files, messages in, and the event stream out. */
@Controller()
export class WebController {
  constructor(
    @Inject(WebAccess) private readonly access: WebAccess,
    @Inject(WebChat) private readonly chat: WebChat,
    @Inject(WebStreams) private readonly streams: WebStreams,
    @Inject(WebPages) private readonly pages: WebPages,
    @Inject(CONFIG) private readonly config: Pick<PlatformConfig, 'ROCKPOOL_PUBLIC_URL'>,
  ) {}

  @Get('chat/:tenant')
  async page(@Param('tenant') tenantId: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const credentials = credentialsOf(request);
    const entry = await this.access.enter(tenantId, credentials);
    reply.headers(securityHeaders);
    if (entry.kind === 'closed') {
      reply.status(entry.reason === 'expired' ? 401 : 404);
      return send(request, reply, this.pages.closed(entry.reason), 'no-store');
    }
    const { visit, opened } = entry;
    if (opened) {
      const { token, session } = opened;
      const secure = this.config.ROCKPOOL_PUBLIC_URL?.startsWith('https://') ?? false;
      reply.header('set-cookie', sessionCookie({ tenantId: visit.tenant.id, token, expiresAt: session.expiresAt, secure }));
    }
    // The link leaves the address bar, the history and whatever the visitor copies from there.
    if (credentials.link !== undefined) return void reply.header('cache-control', 'no-store').redirect(`/chat/${visit.tenant.id}`, 303);
    return send(request, reply, this.pages.chat(visit.tenant), opened ? 'no-store' : 'private, no-cache');
  }

  @Get('chat-assets/:name')
  asset(@Param('name') name: string, @Query('v') version: string | undefined, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    const file = this.pages.asset(name);
    reply.headers(securityHeaders);
    return send(request, reply, file, version === undefined ? 'public, no-cache' : `public, max-age=${yearSeconds}, immutable`);
  }

  /** Opens a session for a terminal: with a `link`, or without one where the chat is public. Browsers get theirs with the page. */
  @Post('chat/:tenant/session')
  async session(@Param('tenant') tenantId: string, @Body() body: unknown, @Res() reply: FastifyReply): Promise<void> {
    const { token, session } = await this.access.openSession(tenantId, linkOf(body));
    reply.status(201).header('cache-control', 'no-store').send({ token, expiresAt: session.expiresAt.toISOString() });
  }

  @Post('chat/:tenant/messages')
  async message(@Param('tenant') tenantId: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    assertOwnSite(request);
    const visit = await this.access.visit(tenantId, credentialsOf(request));
    reply.status(202).send(await this.chat.receive(visit, request.body));
  }

  @Get('chat/:tenant/events')
  async events(@Param('tenant') tenantId: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const credentials = credentialsOf(request);
    const visit = await this.access.visit(tenantId, credentials);
    this.streams.assertRoom();
    const { format } = request.query as { format?: string };
    const since = request.headers['last-event-id'];
    reply.hijack();
    await this.streams.open(visit, reply.raw, {
      format: format === 'text' ? 'text' : 'html',
      since: typeof since === 'string' && !Number.isNaN(Date.parse(since)) ? since : undefined,
      recheck: () => this.access.visit(tenantId, credentials),
    });
  }
}

const sessionInput = z.object({ link: z.string().optional() });

function linkOf(body: unknown): string | undefined {
  const input = sessionInput.safeParse(body);
  if (!input.success) throw new InvalidInput('the body is {"link": "…"}, or {} where the chat is public');
  return input.data.link;
}

function send(request: FastifyRequest, reply: FastifyReply, file: ServedFile, cacheControl: string): void {
  reply.headers({ etag: file.etag, 'cache-control': cacheControl });
  if (request.headers['if-none-match'] === file.etag && reply.statusCode === 200 && cacheControl !== 'no-store') {
    reply.status(304).send();
    return;
  }
  reply.header('content-type', file.contentType).send(file.content);
}
