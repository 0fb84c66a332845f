import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DynamicModule, Type } from '@nestjs/common';
import type { Cloud, SpanExporter, StoredSpan } from '@rockpool/cloud';
import { openEmbeddedCloud } from '@rockpool/cloud-embedded';
import { afterEach } from '@jest/globals';
import { parseConfig, startService, type PlatformConfig, type RunningService, type ServiceOptions } from '../index.js';

const undo: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

export function configuration(environment: Record<string, string> = {}): PlatformConfig {
  const result = parseConfig({ PORT: '0', ...environment });
  if (!('config' in result)) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

/** The embedded engine in a folder of its own; `check` replaces what it says of its health. */
export async function openCloud(check?: () => Promise<string | undefined>): Promise<Cloud> {
  const folder = mkdtempSync(join(tmpdir(), 'rockpool-service-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  const cloud = await openEmbeddedCloud({
    dataDir: join(folder, 'data'),
    keyFile: join(folder, 'keys', 'master.key'),
    baseUrl: () => 'http://127.0.0.1',
    subscriptions: [],
    indexes: [],
    queues: [],
  });
  undo.push(() => cloud.close());
  return check ? { ...cloud, check } : cloud;
}

/** Keeps what it is given. */
export class Spans implements SpanExporter {
  readonly all: StoredSpan[] = [];
  async record(spans: readonly StoredSpan[]): Promise<void> {
    this.all.push(...spans);
  }
  async close(): Promise<void> {}
}

/** A service on a free port, closed after the test. */
export async function start(
  module: Type | DynamicModule,
  options: { cloud?: Cloud; config?: PlatformConfig; spans?: Spans; senderPatience?: ServiceOptions['senderPatience'] } = {},
): Promise<RunningService> {
  const cloud = options.cloud ?? (await openCloud());
  const spanExporters = options.spans ? [options.spans] : [];
  const service = await startService({
    name: 'probe',
    module,
    config: options.config ?? configuration(),
    cloud,
    spanExporters,
    silent: true,
    ...(options.senderPatience && { senderPatience: options.senderPatience }),
  });
  undo.push(() => service.close());
  return service;
}
