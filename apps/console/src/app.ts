import type { DynamicModule } from '@nestjs/common';
import { WebSessions } from '@rockpool/channels';
import type { App, Platform } from '@rockpool/platform';
import { version } from '@rockpool/platform/version';
import { adminToken } from './admin-token.js';
import { ConsoleModule } from './console.module.js';
import type { ControlPlane } from './control-plane.js';
import { LocalControlPlane } from './local-control-plane.js';

/** The control plane over HTTP. */
export const consoleApp: App = {
  name: 'console',
  summary: 'the control plane for operators, below /api/v1.',
  needs: () => ({
    ROCKPOOL_ADMIN_TOKEN: 'operators show it',
    ROCKPOOL_AGENT_HOST_URL: 'jobs that are tried again go on there',
    ROCKPOOL_SCHEDULER_URL: 'schedules that are applied fire there',
  }),
  module: (platform) => consoleModule(platform, controlPlaneOf(platform, 'console')),
};

/** What operators do with an open platform. `actor` is who the audit log says it was: `console`, `cli`. */
export function controlPlaneOf(platform: Platform, actor: string): ControlPlane {
  const sessions = new WebSessions(platform.cloud.secrets);
  return new LocalControlPlane({ ...platform, sessions, version, startedAt: new Date(), actor });
}

/** The console over an open platform. Operators show the configured token where several processes share the engine, else the one that lies in the data folder. */
export function consoleModule({ config }: Platform, controlPlane: ControlPlane): DynamicModule {
  const token = async () =>
    config.ROCKPOOL_ENGINE === 'google' && config.ROCKPOOL_ADMIN_TOKEN !== undefined
      ? config.ROCKPOOL_ADMIN_TOKEN
      : adminToken(config.ROCKPOOL_DATA_DIR);
  return ConsoleModule.register({ controlPlane, token });
}
