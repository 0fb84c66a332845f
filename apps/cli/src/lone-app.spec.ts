import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { appNames, type AppName } from '@rockpool/contracts';

/** Runs the built `main` of an app until it ends. */
function run(app: AppName, env: Record<string, string>, ...args: string[]) {
  const main = fileURLToPath(new URL(`../../${app}/dist/main.js`, import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    env: { PATH: process.env['PATH'], ...env },
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { status, stdout, stderr };
}

const google = { ROCKPOOL_ENGINE: 'google', GOOGLE_CLOUD_PROJECT: 'pond' };

describe.each(appNames)('the %s alone', (name) => {
  it('says that the embedded engine is for all apps in one process', () => {
    const { status, stdout, stderr } = run(name, {});
    expect({ status, stdout }).toEqual({ status: 78, stdout: '' });
    expect(stderr).toContain('ROCKPOOL_ENGINE is embedded');
    expect(stderr).toContain('rockpool start');
  });

  it('says with --help what it is, whatever is configured', () => {
    const { status, stdout } = run(name, { PORT: 'eighty' }, '--help');
    expect(status).toBe(0);
    expect(stdout).toContain(`The ${name} of Rockpool`);
  });
});

describe('an app that lacks a setting', () => {
  it.each([
    ['dispatcher', {}, ['ROCKPOOL_AGENT_HOST_URL', 'ROCKPOOL_SCHEDULER_URL']],
    ['dispatcher', { ROCKPOOL_BUS_DELIVERY: 'push' }, ['ROCKPOOL_AGENT_HOST_URL', 'ROCKPOOL_DISPATCHER_URL']],
    ['agent-host', {}, ['ROCKPOOL_AGENT_HOST_URL', 'ROCKPOOL_SCHEDULER_URL']],
    ['scheduler', {}, ['ROCKPOOL_SCHEDULER_URL']],
    ['console', {}, ['ROCKPOOL_ADMIN_TOKEN', 'ROCKPOOL_SCHEDULER_URL']],
  ] as const)('%s with %j names %j and ends with 78', (name, more, missing) => {
    const { status, stderr } = run(name, { ...google, ...more });
    expect(status).toBe(78);
    for (const variable of missing) expect(stderr).toContain(`${variable} is missing, but the ${name} needs it`);
  });
});
