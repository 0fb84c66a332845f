import type { DynamicModule } from '@nestjs/common';
import { leasesOf, memoryLimitBytes, version, type App, type Platform } from '@rockpool/platform';
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

/** Signs of life come so often: while there is work, or always where the process is everybody's. */
const beatEveryMs = { google: 20_000, embedded: 30_000 } as const;

/** The agent host over an open platform. */
export function agentHostModule({ config, audiences, jobsOf }: Platform, options: Partial<AgentHostOptions> = {}): DynamicModule {
  const leases = leasesOf(config);
  const limitBytes = memoryLimitBytes(config);
  return AgentHostModule.register({
    audience: audiences.agentHost,
    models: {
      anthropicApiKey: config.ANTHROPIC_API_KEY,
      openaiApiKey: config.OPENAI_API_KEY,
      geminiApiKey: config.GEMINI_API_KEY,
      openaiBaseUrl: config.OPENAI_BASE_URL,
      openaiCompatibleModel: config.ROCKPOOL_OPENAI_COMPATIBLE_MODEL,
    },
    leases,
    heartbeat: {
      id: leases.holder,
      version,
      everyMs: beatEveryMs[config.ROCKPOOL_ENGINE],
      isSteady: config.ROCKPOOL_ENGINE === 'embedded',
      // The embedded engine's one process is never ended by this, whoever looks after it.
      isSupervised: config.ROCKPOOL_ENGINE === 'google' && config.ROCKPOOL_SUPERVISED,
      memory: () => ({ rssBytes: process.memoryUsage.rss(), memoryLimitBytes: limitBytes }),
      // The way down is the one that Cloud Run takes.
      onDrainAsked: () => process.kill(process.pid, 'SIGTERM'),
    },
    jobs: jobsOf,
    turnTimeoutMs: config.ROCKPOOL_TURN_TIMEOUT_MS,
    promoteAfterMs: config.ROCKPOOL_PROMOTE_AFTER_MS,
    ...options,
  });
}
