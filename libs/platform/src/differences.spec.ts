import { describe, expect, it } from '@jest/globals';
import { parseConfig, type PlatformConfig } from '@rockpool/service';
import { problemsOf, type App } from './index.js';
import { audiencesOf } from './audiences.js';
import { leasesOf } from './leases.js';

function configOf(environment: Record<string, string>): PlatformConfig {
  const parsed = parseConfig(environment);
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

const urls = { ROCKPOOL_AGENT_HOST_URL: 'https://hosts.example.com', ROCKPOOL_SCHEDULER_URL: 'https://scheduler.example.com' };
const embedded = configOf(urls);
const google = configOf({ ...urls, ROCKPOOL_ENGINE: 'google', GOOGLE_CLOUD_PROJECT: 'pond' });

describe('tokens between apps', () => {
  it('are for a name on the embedded engine, whose ports are known late', () => {
    expect(audiencesOf(embedded)).toEqual({ agentHost: 'agent-host', scheduler: 'scheduler' });
  });

  it('are for the URL of a service on Google', () => {
    expect(audiencesOf(google)).toEqual({ agentHost: 'https://hosts.example.com', scheduler: 'https://scheduler.example.com' });
  });
});

describe('a lease of another process', () => {
  it('is a dead one’s on the embedded engine, which only one process can hold', () => {
    const mine = leasesOf(embedded);
    expect(mine.mayBeAlive?.(mine.holder)).toBe(true);
    expect(mine.mayBeAlive?.(leasesOf(embedded).holder)).toBe(false);
  });

  it('runs its time on Google', () => {
    expect(leasesOf(google).mayBeAlive).toBeUndefined();
    expect(leasesOf(google).holder).not.toBe(leasesOf(google).holder);
  });
});

describe('an app alone', () => {
  const app: App = {
    name: 'console',
    summary: 'is an example.',
    needs: () => ({ ROCKPOOL_ADMIN_TOKEN: 'operators show it', GOOGLE_CLOUD_PROJECT: 'it bears its name' }),
    module: () => ({ module: class {} }),
  };

  it('has no place on the embedded engine', () => {
    expect(problemsOf(app, embedded)).toMatchObject([{ variable: 'ROCKPOOL_ENGINE', remedy: expect.stringContaining('rockpool start') }]);
  });

  it('is told what it lacks, and nothing of what it has', () => {
    expect(problemsOf(app, google)).toEqual([
      {
        variable: 'ROCKPOOL_ADMIN_TOKEN',
        problem: 'is missing, but the console needs it: operators show it',
        remedy: 'Set ROCKPOOL_ADMIN_TOKEN (docs/configuration.md).',
      },
    ]);
  });
});
