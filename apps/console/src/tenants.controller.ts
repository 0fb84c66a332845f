import { Body, Controller, Get, HttpCode, Param, Post, Put, Query, UseGuards } from '@nestjs/common';
import { tenantId, type TenantId } from '@rockpool/contracts';
import type { UsageRecord } from '@rockpool/jobs';
import { tenantsFile, type Plan, type TenantsFile } from '@rockpool/tenancy';
import { z } from 'zod';
import { AdminGuard } from './admin.guard.js';
import { ControlPlane, type ChatLink, type TenantDetails, type TenantSummary, type WebhookRegistration } from './control-plane.js';

const applyBody = z.strictObject({
  file: tenantsFile,
  secrets: z.record(z.string(), z.string()).default({}),
  dryRun: z.boolean().default(false),
  /** The digest of the plan a person has agreed to. */
  confirmed: z.string().optional(),
});
const secretBody = z.strictObject({ value: z.string().min(1).max(65_536) });
const webhooksBody = z.strictObject({ publicUrl: z.url({ protocol: /^https?$/ }).optional() }).optional();
const chatLinkBody = z
  .strictObject({
    lifetimeMs: z
      .int()
      .min(60_000)
      .max(365 * 86_400_000)
      .optional(),
  })
  .optional();

const usageQuery = z.object({ days: z.coerce.number().pipe(z.int().min(1).max(800)).default(31) });

/** The desired state: tenants, their secrets, links and webhooks. */
@Controller('api/v1')
@UseGuards(AdminGuard)
export class TenantsController {
  constructor(private readonly controlPlane: ControlPlane) {}

  @Post('apply')
  @HttpCode(200)
  apply(@Body({ schema: applyBody }) { file, secrets, dryRun, confirmed }: z.output<typeof applyBody>): Promise<Plan> {
    const request = { file: file as TenantsFile, secrets };
    return dryRun ? this.controlPlane.plan(request) : this.controlPlane.apply(request, confirmed);
  }

  @Post('webhooks')
  @HttpCode(200)
  async registerWebhooks(@Body({ schema: webhooksBody }) body: z.output<typeof webhooksBody>): Promise<{ items: WebhookRegistration[] }> {
    return { items: await this.controlPlane.registerWebhooks(body?.publicUrl) };
  }

  @Get('tenants')
  async list(): Promise<{ items: TenantSummary[] }> {
    return { items: await this.controlPlane.tenants() };
  }

  @Get('tenants/:id')
  show(@Param('id', { schema: tenantId }) id: TenantId): Promise<TenantDetails> {
    return this.controlPlane.tenant(id);
  }

  @Get('tenants/:id/usage')
  async usage(
    @Param('id', { schema: tenantId }) id: TenantId,
    @Query({ schema: usageQuery }) { days }: z.output<typeof usageQuery>,
  ): Promise<{ items: UsageRecord[] }> {
    return { items: await this.controlPlane.usage(id, days) };
  }

  /** The owner may be `platform`, or a tenant that is still to be applied. */
  @Put('tenants/:owner/secrets/:field')
  @HttpCode(204)
  async setSecret(
    @Param('owner') owner: string,
    @Param('field') field: string,
    @Body({ schema: secretBody }) { value }: z.output<typeof secretBody>,
  ): Promise<void> {
    await this.controlPlane.setSecret({ tenant: owner, field }, value);
  }

  @Post('tenants/:id/chat-links')
  chatLink(
    @Param('id', { schema: tenantId }) id: TenantId,
    @Body({ schema: chatLinkBody }) options: z.output<typeof chatLinkBody>,
  ): Promise<ChatLink> {
    return this.controlPlane.chatLink(id, options ?? {});
  }
}
