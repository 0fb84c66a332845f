import type { DynamicModule } from '@nestjs/common';
import { leasesOf, type App, type Platform } from '@rockpool/platform';
import { AgentHostModule, type AgentHostOptions } from './agent-host.module.js';

/** The pooled agent host. */
export const agentHostApp: App = {
  name: 'agent-host',
  summary: 'runs the turns of the conversations that dispatchers push to it, and sends the answers.',
  needs: () => ({
    ROCKPOOL_AGENT_HOST_URL: 'it is its own address, and it accepts tokens for this one only',
    ROCKPOOL_SCHEDULER_URL: 'reminders that the agent sets fire there',
  }),
  module: (platform) => agentHostModule(platform),
};

/** The agent host over an open platform. */
export function agentHostModule({ config, audiences, jobsOf }: Platform, options: Partial<AgentHostOptions> = {}): DynamicModule {
  return AgentHostModule.register({
    audience: audiences.agentHost,
    models: {
      anthropicApiKey: config.ANTHROPIC_API_KEY,
      openaiApiKey: config.OPENAI_API_KEY,
      geminiApiKey: config.GEMINI_API_KEY,
      openaiBaseUrl: config.OPENAI_BASE_URL,
      openaiCompatibleModel: config.ROCKPOOL_OPENAI_COMPATIBLE_MODEL,
    },
    leases: leasesOf(config),
    jobs: jobsOf,
    turnTimeoutMs: config.ROCKPOOL_TURN_TIMEOUT_MS,
    promoteAfterMs: config.ROCKPOOL_PROMOTE_AFTER_MS,
    ...options,
  });
}
