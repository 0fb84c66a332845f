import { expect, it } from '@jest/globals';
import { apps } from '@rockpool/contracts';
import { parseConfig, type PlatformConfig } from '@rockpool/service';
import { memoryLimitBytes } from './memory-limit.js';

const gib = 1024 ** 3;

function configOf(environment: Record<string, string>): PlatformConfig {
  const parsed = parseConfig(environment);
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}
const embedded = configOf({});
const google = configOf({ ROCKPOOL_ENGINE: 'google', GOOGLE_CLOUD_PROJECT: 'p' });

it('is what the container allows, else what the app is given, else what the machine has', () => {
  expect(memoryLimitBytes(embedded, 2 * gib, 16 * gib)).toBe(2 * gib);
  expect(memoryLimitBytes(google, 4 * gib, 16 * gib)).toBe(4 * gib);
  // Where nothing is said, nodes tell zero, or more than there is.
  expect(memoryLimitBytes(google, 0, 16 * gib)).toBe(apps['agent-host'].scaling.memoryMib * 1024 * 1024);
  expect(memoryLimitBytes(embedded, 0, 16 * gib)).toBe(16 * gib);
  expect(memoryLimitBytes(embedded, 2 ** 60, 16 * gib)).toBe(16 * gib);
});
