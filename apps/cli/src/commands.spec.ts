import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { rockpool as Rockpool } from './testing/run-command.js';

/** The commands as a person gives them, on a data folder that no instance holds. */

const file = `
tenants:
  alice:
    plan: pro
    channels:
      telegram: { botToken: env://SPEC_ALICE_TOKEN, webhookSecret: file://hook.txt, allowFrom: [1] }
`;

let settings: string;
let folder: string;
let rockpool: typeof Rockpool;

beforeAll(async () => {
  settings = await mkdtemp(join(tmpdir(), 'rockpool-settings-'));
  // The environment is read when the modules are.
  process.env['XDG_CONFIG_HOME'] = settings;
  process.env['SPEC_ALICE_TOKEN'] = '111:AAA';
  process.env['ROCKPOOL_PUBLIC_URL'] = 'https://bots.example.com';
  ({ rockpool } = await import('./testing/run-command.js'));
});

afterAll(() => rm(settings, { recursive: true }));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-cli-'));
  await writeFile(join(folder, 'tenants.yaml'), file);
  await writeFile(join(folder, 'hook.txt'), 'hook-1\n');
});

afterEach(() => rm(folder, { recursive: true }));

const here = () => ['--data-dir', join(folder, 'data')];
const tenantsYaml = () => join(folder, 'tenants.yaml');

describe('rockpool apply', () => {
  it('shows the plan, applies it, prints the addresses, and has nothing to do the second time', async () => {
    const first = await rockpool('apply', tenantsYaml(), ...here());
    expect(first).toMatchObject({ code: 0, err: '' });
    expect(first.out).toContain('+ alice\n\n1 to add, 0 to change, 0 to remove, 0 unchanged.\nApplied.');
    expect(first.out).toContain('https://bots.example.com/webhooks/telegram/alice');
    expect((await rockpool('apply', tenantsYaml(), ...here())).out).toContain(
      '0 to add, 0 to change, 0 to remove, 1 unchanged.\nNothing to do.',
    );
  });

  it('says what changes in how operators are told, and shows no secret of it', async () => {
    await writeFile(join(folder, 'slack.txt'), 'https://hooks.slack.com/services/T/B/not-to-be-shown');
    await writeFile(tenantsYaml(), `${file}alerts:\n  slack: { webhookUrl: file://slack.txt }\n`);
    const { code, out } = await rockpool('apply', tenantsYaml(), ...here());
    expect(code).toBe(0);
    expect(out).toContain('~ alerts: slack, secrets.alerts-slack-webhook-url');
    expect(out).not.toContain('not-to-be-shown');
    expect((await rockpool('apply', tenantsYaml(), ...here())).out).toContain('Nothing to do.');
    await writeFile(tenantsYaml(), file);
    expect((await rockpool('apply', tenantsYaml(), ...here())).out).toContain('~ alerts: slack\n');
  });

  it('writes nothing with --dry-run', async () => {
    expect((await rockpool('apply', tenantsYaml(), '--dry-run', ...here())).out).toContain('+ alice');
    expect(await rockpool('tenants', '--json', ...here())).toMatchObject({ code: 0, out: '[]\n' });
  });

  it('tells every problem of the file with its place and exits with 78', async () => {
    await writeFile(tenantsYaml(), 'tenants:\n  bob:\n    plna: pro\n    channels: { http: { secret: whsec_in-the-clear } }\n');
    const { code, err } = await rockpool('apply', tenantsYaml(), ...here());
    expect(code).toBe(78);
    expect(err).toContain(`${tenantsYaml()}:3:5: tenants.bob.plna: unknown setting plna; did you mean plan?\n`);
    expect(err).toContain(`${tenantsYaml()}:4:25: tenants.bob.channels.http.secret: a secret is given as secret://tenant/field`);
    expect(err).not.toContain('in-the-clear');
  });

  it('says which variables and files are missing', async () => {
    await writeFile(tenantsYaml(), file.replace('SPEC_ALICE_TOKEN', 'SPEC_NOT_SET').replace('hook.txt', 'nowhere.txt'));
    const { code, err } = await rockpool('apply', tenantsYaml(), ...here());
    expect(code).toBe(78);
    expect(err).toContain(':6:19: tenants.alice.channels.telegram.botToken: the environment variable SPEC_NOT_SET is not set');
    expect(err).toContain('the file nowhere.txt cannot be read (ENOENT)');
  });

  it('exits with 1 when a secret it refers to is not stored, and applies once it is', async () => {
    await writeFile(tenantsYaml(), file.replace('env://SPEC_ALICE_TOKEN', 'secret://alice/telegram-bot-token'));
    const refused = await rockpool('apply', tenantsYaml(), ...here());
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('rockpool secrets set alice telegram-bot-token');
    expect((await rockpool('tenants', '--json', ...here())).out).toBe('[]\n');
  });
});

describe('the other commands', () => {
  it('show what was applied, without a secret', async () => {
    await rockpool('apply', tenantsYaml(), ...here());
    const { out } = await rockpool('tenants', 'show', 'alice', ...here());
    expect(out).toContain('botToken: secret://alice/telegram-bot-token');
    expect(out).toContain('https://bots.example.com/webhooks/telegram/alice');
    expect(out).not.toMatch(/AAA|hook-1/);
    expect(JSON.parse((await rockpool('inbox', '--json', ...here())).out)).toEqual({ items: [] });
    expect((await rockpool('dead-letters', ...here())).out).toBe('There is none.\n');
  });

  it('show what was used, which is nothing yet', async () => {
    await rockpool('apply', tenantsYaml(), ...here());
    expect((await rockpool('usage', 'alice', ...here())).out).toContain('Nothing was used yet.');
    expect(JSON.parse((await rockpool('usage', '--json', ...here())).out)).toEqual([
      { tenant: 'alice', turns: 0, jobs: 0, inputTokens: 0, outputTokens: 0, jobTokens: 0, costUsd: 0 },
    ]);
    expect((await rockpool('usage', ...here())).out).toMatch(/TENANT +TURNS[^]*alice +0/);
    expect(await rockpool('usage', 'nobody', ...here())).toMatchObject({ code: 1, err: 'there is no tenant nobody' });
    expect(await rockpool('usage', '--days', '0', ...here())).toMatchObject({ code: 2 });
  });

  it('end with 1 for what does not exist, 2 for wrong usage, 69 where nothing is', async () => {
    await rockpool('apply', tenantsYaml(), ...here());
    expect(await rockpool('tenants', 'show', 'nobody', ...here())).toMatchObject({ code: 1, err: 'there is no tenant nobody' });
    expect(await rockpool('inbox', 'show', 'alice/nothing', ...here())).toMatchObject({ code: 1 });
    expect(await rockpool('trace', 'nothing', ...here())).toMatchObject({ code: 1 });
    for (const wrong of [
      ['tenants', 'show', 'No Tenant'],
      ['inbox', 'show', 'no-slash'],
      ['inbox', '--state', 'x'],
      ['frobnicate'],
      ['apply'],
    ]) {
      expect(await rockpool(...wrong)).toMatchObject({ code: 2 });
    }
    expect(await rockpool('tenants', '--data-dir', join(folder, 'nowhere'))).toMatchObject({ code: 69 });
    expect(await rockpool('tenants', '--url', 'http://127.0.0.1:1', ...here())).toMatchObject({ code: 78 });
  });

  it('all explain themselves with examples and exit codes', async () => {
    for (const command of [
      ['apply'],
      ['tenants', 'list'],
      ['tenants', 'show'],
      ['inbox', 'replay'],
      ['trace'],
      ['secrets', 'set'],
      ['doctor'],
    ]) {
      const { code, out } = await rockpool(...command, '--help');
      expect(code).toBe(0);
      expect(out).toContain('Examples:\n  $ rockpool ');
      expect(out).toContain('--json');
      expect(out).toContain('Exit codes:');
    }
  });
});

describe('rockpool doctor', () => {
  it('finds no fault with a new machine, and with an installation that was just set up', async () => {
    const before = await rockpool('doctor', '--no-network', ...here());
    expect(before.out).toContain('does not exist yet');
    await rockpool('apply', tenantsYaml(), ...here());
    const { out } = await rockpool('doctor', '--no-network', '--json', ...here());
    const checks = JSON.parse(out) as { name: string; state: string; remedy?: string }[];
    const states = Object.fromEntries(checks.map(({ name, state }) => [name, state]));
    expect(states).toMatchObject({
      node: 'ok',
      configuration: 'ok',
      'data folder': 'ok',
      'key file': 'ok',
      engine: 'ok',
      tenants: 'ok',
      models: 'warn',
    });
    for (const check of checks) if (check.state !== 'ok') expect(check.remedy).toEqual(expect.any(String));
  });
});
