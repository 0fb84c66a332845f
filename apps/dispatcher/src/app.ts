import type { DynamicModule } from '@nestjs/common';
import type { App, Platform } from '@rockpool/platform';
import { DispatcherModule, type DispatcherOptions } from './dispatcher.module.js';

/** An agent host that is another process may hang while this one does not. */
const pulseEveryMs = 2_500;

/** The dispatcher. */
export const dispatcherApp: App = {
  name: 'dispatcher',
  summary: 'takes messages from the bus into the inbox, and has the agent host drain each conversation.',
  needs: ({ ROCKPOOL_BUS_DELIVERY: delivery }) => ({
    ROCKPOOL_AGENT_HOST_URL: 'it pushes conversations there',
    ROCKPOOL_SCHEDULER_URL: 'schedules that are resumed in a chat fire there',
    ...(delivery === 'push' && { ROCKPOOL_DISPATCHER_URL: 'Pub/Sub pushes messages with tokens for it' }),
  }),
  module: (platform) => dispatcherModule(platform),
};

/** The dispatcher over an open platform: by default it pushes to the agent host that the configuration names, else to the one of this process. */
export function dispatcherModule(platform: Platform, options: Partial<DispatcherOptions> = {}): DynamicModule {
  const { ROCKPOOL_AGENT_HOST_URL: hostUrl } = platform.config;
  return DispatcherModule.register({
    hostUrl: () => hostUrl ?? platform.url,
    hostAudience: platform.audiences.agentHost,
    ...(hostUrl !== undefined && { pulseEveryMs }),
    ...options,
  });
}
