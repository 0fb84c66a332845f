import { totalmem } from 'node:os';
import { apps } from '@rockpool/contracts';
import type { PlatformConfig } from '@rockpool/service';

/** What this process may use: what its container allows, else what the app is given where it is a process of its own, else what the machine has. */
export function memoryLimitBytes(
  { ROCKPOOL_ENGINE: engine }: PlatformConfig,
  allowed = process.constrainedMemory(),
  machine = totalmem(),
): number {
  if (allowed > 0 && allowed < machine) return allowed;
  return engine === 'google' ? Math.min(apps['agent-host'].scaling.memoryMib * 1024 * 1024, machine) : machine;
}
