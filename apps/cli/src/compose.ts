import type { DynamicModule } from '@nestjs/common';
import { agentHostModule, type AgentHostOptions } from '@rockpool/agent-host';
import { consoleModule, controlPlaneOf, type ControlPlane } from '@rockpool/console';
import { dispatcherModule, type DispatcherOptions } from '@rockpool/dispatcher';
import { ingressApp } from '@rockpool/ingress';
import { openPlatform as openParts, startApps, type Platform as Parts } from '@rockpool/platform';
import { schedulerApp } from '@rockpool/scheduler';
import type { PlatformConfig, RunningService } from '@rockpool/service';

/** An open engine, the parts that all apps share, and what operators do with them. Whoever opened it closes it. */
export interface Platform extends Parts {
  readonly controlPlane: ControlPlane;
}

/**
 * Opens the engine. Rejects with `unavailable` when another process holds the embedded one's data folder, naming that process. `actor` is who the audit log says it was.
 */
export async function openPlatform(config: PlatformConfig, actor: string): Promise<Platform> {
  // Whoever works from the command line does what the console does.
  const parts = await openParts(config, 'console');
  return Object.assign(parts, { controlPlane: controlPlaneOf(parts, actor) });
}

/** Starts every app of the platform in this process, on one port. The service closes the engine when it ends. */
export function startPlatform(platform: Platform): Promise<RunningService> {
  return startApps('rockpool', platform, appModules(platform));
}

/** Where apps of one process differ from what the configuration says. */
export interface AppOverrides {
  readonly dispatcher?: Partial<DispatcherOptions>;
  readonly agentHost?: Partial<AgentHostOptions>;
}

/** All apps over one engine. */
export function appModules(platform: Platform, { dispatcher, agentHost }: AppOverrides = {}): DynamicModule[] {
  return [
    ingressApp.module(platform),
    dispatcherModule(platform, dispatcher),
    agentHostModule(platform, agentHost),
    schedulerApp.module(platform),
    consoleModule(platform, platform.controlPlane),
  ];
}
