import { pooledHostAudience, schedulerAudience } from '@rockpool/contracts';
import type { PlatformConfig } from '@rockpool/service';

/** Whom tokens between the apps are for. */
export interface Audiences {
  readonly agentHost: string;
  readonly scheduler: string;
}

/**
 * On Google an audience is the URL of the service, because Cloud Run itself looks at it before a request comes in. On the embedded engine the callee may be known by its
 * port only once it listens, so it has a name.
 */
export function audiencesOf(config: PlatformConfig): Audiences {
  const isGoogle = config.ROCKPOOL_ENGINE === 'google';
  return {
    agentHost: (isGoogle ? config.ROCKPOOL_AGENT_HOST_URL : undefined) ?? pooledHostAudience,
    scheduler: (isGoogle ? config.ROCKPOOL_SCHEDULER_URL : undefined) ?? schedulerAudience,
  };
}
