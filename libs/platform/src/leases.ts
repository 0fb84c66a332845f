import { randomUUID } from 'node:crypto';
import type { LeaseOptions } from '@rockpool/conversations';
import type { PlatformConfig } from '@rockpool/service';

/**
 * How this process holds conversations. Only one process can hold a data folder, so on the embedded engine every holder but this one is dead, and a restart need not wait
 * for its leases; on Google any of them may be alive.
 */
export function leasesOf({ ROCKPOOL_ENGINE: engine, ROCKPOOL_LEASE_MS: leaseMs }: PlatformConfig): LeaseOptions {
  const holder = `${engine}-${randomUUID()}`;
  return { holder, leaseMs, ...(engine === 'embedded' && { mayBeAlive: (other: string) => other === holder }) };
}
