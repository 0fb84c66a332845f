import { flushCompileCache } from 'node:module';
import { Module, type DynamicModule } from '@nestjs/common';
import type { AppName } from '@rockpool/contracts';
import { Shutdown, startService, type PlatformConfig, type RunningService, type VariableName } from '@rockpool/service';
import { PlatformModule } from './platform.module.js';
import type { Platform } from './platform.js';

/** One app of the platform, as it runs alone. */
export interface App {
  readonly name: AppName;
  /** For `--help`: what it does, in a line. */
  readonly summary: string;
  /** Settings that it cannot run without, each with why. */
  needs?(config: PlatformConfig): Partial<Record<VariableName, string>>;
  /** Its own module, beside what all apps share. */
  module(platform: Platform): DynamicModule;
}

/** Starts apps over an open platform in one service of this name. The service closes the engine when it ends. */
export async function startApps(
  name: string,
  platform: Platform,
  modules: readonly DynamicModule[],
  options: { silent?: boolean } = {},
): Promise<RunningService> {
  const service = await startService({
    name,
    config: platform.config,
    cloud: platform.cloud,
    spanExporters: platform.traces ? [platform.traces] : [],
    module: { module: Apps, imports: [PlatformModule.forRoot(platform), ...modules] },
    onListening: (url) => platform.listensAt(url),
    ...options,
  });
  service.app.get(Shutdown).onShutdown('stop following tenants', () => platform.unfollow());
  // Where a compile cache is kept (NODE_COMPILE_CACHE), Node writes it at an orderly end; a start after a kill is to be as quick.
  flushCompileCache();
  return service;
}

@Module({})
class Apps {}
