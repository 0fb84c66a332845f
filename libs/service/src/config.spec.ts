import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { configurationPage, envExample } from './config-docs.js';
import { parseConfig, platformConfig, problemReport, redactedSummary, type PlatformConfig } from './config.js';

function accepted(environment: Record<string, string>): PlatformConfig {
  const result = parseConfig(environment);
  if (!('config' in result)) throw new Error(problemReport(result.problems));
  return result.config;
}

function refused(environment: Record<string, string>): string {
  const result = parseConfig(environment);
  if ('config' in result) throw new Error('the configuration was accepted');
  return problemReport(result.problems);
}

const onGoogle = { ROCKPOOL_ENGINE: 'google', GOOGLE_CLOUD_PROJECT: 'pond' };

describe('the configuration', () => {
  it('needs nothing to be set', () => {
    const config = accepted({});
    expect(config).toMatchObject({
      PORT: 8080,
      ROCKPOOL_HOST: '127.0.0.1',
      ROCKPOOL_ENGINE: 'embedded',
      ROCKPOOL_SHUTDOWN_TIMEOUT_MS: 9000,
    });
    expect(config.ROCKPOOL_DATA_DIR).toMatch(/^\/.*\/\.rockpool$/);
  });

  it('takes an empty value for an unset one', () => {
    expect(accepted({ PORT: '', ROCKPOOL_PUBLIC_URL: '  ', ANTHROPIC_API_KEY: '' })).toEqual(accepted({}));
  });

  it('listens on all interfaces on Cloud Run, and where it is told to', () => {
    expect(accepted({ K_SERVICE: 'ingress' }).ROCKPOOL_HOST).toBe('0.0.0.0');
    expect(accepted({ K_SERVICE: 'ingress', ROCKPOOL_HOST: '127.0.0.1' }).ROCKPOOL_HOST).toBe('127.0.0.1');
  });

  it('keeps the key outside the data folder, under a name that stands for that folder', () => {
    const one = accepted({ ROCKPOOL_DATA_DIR: '/var/lib/one', XDG_CONFIG_HOME: '/home/ada/.settings' }).ROCKPOOL_KEY_FILE;
    const two = accepted({ ROCKPOOL_DATA_DIR: '/var/lib/two', XDG_CONFIG_HOME: '/home/ada/.settings' }).ROCKPOOL_KEY_FILE;
    expect(one).toMatch(/^\/home\/ada\/\.settings\/rockpool\/[0-9a-f]{16}\.key$/);
    expect(two).not.toBe(one);
  });

  it('reports all problems at once, each with what to set', () => {
    expect(refused({ PORT: '80a', ROCKPOOL_LEASE_MS: '5', ROCKPOOL_LOG_FORMAT: 'xml' })).toBe(
      `Rockpool cannot start: 3 settings are wrong.
  PORT is "80a", but has to be a whole number from 0 to 65535.
    Set PORT=8080, or leave it out for the default (8080).
  ROCKPOOL_LEASE_MS is "5", but has to be at least 1000.
    Set ROCKPOOL_LEASE_MS=30000, or leave it out for the default (30000).
  ROCKPOOL_LOG_FORMAT is "xml", but has to be json or pretty.
    Set ROCKPOOL_LOG_FORMAT=json, or leave it out for the default (pretty in a terminal, else json).
`,
    );
  });

  it('takes the google engine only with a project', () => {
    expect(refused({ ROCKPOOL_ENGINE: 'google' })).toContain('GOOGLE_CLOUD_PROJECT is missing');
    expect(accepted({ ROCKPOOL_ENGINE: 'google', GOOGLE_CLOUD_PROJECT: 'pond' })).toMatchObject({
      ROCKPOOL_BUCKET: 'pond-rockpool',
      ROCKPOOL_FIRESTORE_DATABASE: '(default)',
      ROCKPOOL_BUS_DELIVERY: 'pull',
      ROCKPOOL_CREATE_TOPOLOGY: false,
    });
  });

  it('has messages pushed on Cloud Run, where a process sleeps while nobody calls it', () => {
    expect(accepted({ ...onGoogle, K_SERVICE: 'dispatcher' }).ROCKPOOL_BUS_DELIVERY).toBe('push');
  });

  it('spools to the disk of a machine that stays, and to none that is forgotten', () => {
    expect(accepted({}).ROCKPOOL_SPOOL_DIR).toMatch(/\/\.rockpool\/spool$/);
    expect(accepted(onGoogle).ROCKPOOL_SPOOL_DIR).toBeUndefined();
    expect(accepted({ ...onGoogle, ROCKPOOL_SPOOL_DIR: '/mnt/spool' }).ROCKPOOL_SPOOL_DIR).toBe('/mnt/spool');
  });

  it.each(['127.0.0.1:8085', 'localhost:8085', '[::1]:8085', '10.1.2.3:8085', '172.20.0.7:8085', '192.168.0.9:8085', 'pubsub:8085'])(
    'takes an emulator at %s, and makes the topology there',
    (host) => {
      const config = accepted({ ...onGoogle, PUBSUB_EMULATOR_HOST: host });
      expect(config).toMatchObject({ PUBSUB_EMULATOR_HOST: host, ROCKPOOL_CREATE_TOPOLOGY: true });
    },
  );

  it.each([
    'pubsub.example.com:443',
    '8.8.8.8:8085',
    '172.32.0.1:8085',
    'http://127.0.0.1:8085',
    '127.0.0.1',
    'evil@127.0.0.1:80',
    '10.example.com:1',
  ])('speaks without TLS to nobody at %s', (host) => {
    for (const name of ['PUBSUB_EMULATOR_HOST', 'FIRESTORE_EMULATOR_HOST', 'ROCKPOOL_TASKS_ENDPOINT', 'ROCKPOOL_SECRETS_ENDPOINT'])
      expect(refused({ ...onGoogle, [name]: host })).toContain(`${name} is`);
  });

  it('takes the stand-ins of storage and certificates as URLs, of private places only', () => {
    expect(accepted({ ...onGoogle, STORAGE_EMULATOR_HOST: '127.0.0.1:9023' }).STORAGE_EMULATOR_HOST).toBe('http://127.0.0.1:9023');
    expect(refused({ ...onGoogle, STORAGE_EMULATOR_HOST: 'https://storage.example.com' })).toContain('private network');
    expect(refused({ ...onGoogle, ROCKPOOL_CERTS_URL: 'http://keys.example.com/certs' })).toContain('private network');
  });

  it('refuses every emulator on Cloud Run', () => {
    const emulators = {
      PUBSUB_EMULATOR_HOST: '10.0.0.1:1',
      FIRESTORE_EMULATOR_HOST: '10.0.0.1:2',
      STORAGE_EMULATOR_HOST: '10.0.0.1:3',
      ROCKPOOL_TASKS_ENDPOINT: '10.0.0.1:4',
      ROCKPOOL_SECRETS_ENDPOINT: '10.0.0.1:5',
      ROCKPOOL_CERTS_URL: 'http://10.0.0.1:6/certs',
    };
    const report = refused({ ...onGoogle, ...emulators, K_SERVICE: 'ingress' });
    for (const name of Object.keys(emulators)) expect(report).toContain(`${name} is for emulators, but this is Cloud Run`);
  });

  it('sends tokens over TLS, but on this machine and between containers', () => {
    expect(refused({ ...onGoogle, ROCKPOOL_AGENT_HOST_URL: 'http://hosts.example.com' })).toContain('is not https://');
    expect(refused({ ...onGoogle, K_SERVICE: 'dispatcher', ROCKPOOL_AGENT_HOST_URL: 'http://10.0.0.1' })).toContain('is not https://');
    expect(accepted({ ...onGoogle, ROCKPOOL_AGENT_HOST_URL: 'http://agent-host:8080/' }).ROCKPOOL_AGENT_HOST_URL).toBe(
      'http://agent-host:8080',
    );
    expect(accepted({ ROCKPOOL_AGENT_HOST_URL: 'http://hosts.example.com' }).ROCKPOOL_AGENT_HOST_URL).toBe('http://hosts.example.com');
  });

  it('wants https where channels deliver, except on this machine', () => {
    expect(refused({ ROCKPOOL_PUBLIC_URL: 'http://bots.example.com' })).toContain('https://');
    expect(accepted({ ROCKPOOL_PUBLIC_URL: 'https://bots.example.com/' }).ROCKPOOL_PUBLIC_URL).toBe('https://bots.example.com');
    expect(accepted({ ROCKPOOL_PUBLIC_URL: 'http://localhost:8080' }).ROCKPOOL_PUBLIC_URL).toBe('http://localhost:8080');
  });

  it('never shows a secret in a problem or in the summary', () => {
    expect(refused({ OTEL_EXPORTER_OTLP_HEADERS: 'hunter2' })).not.toContain('hunter2');
    expect(refused({ OPENAI_BASE_URL: 'ftp://ada:hunter2@models' })).not.toContain('hunter2');
    const summary = redactedSummary(accepted({ ANTHROPIC_API_KEY: 'sk-ant-hunter2', OPENAI_BASE_URL: 'http://ada:hunter2@models/v1' }));
    expect(summary).toContain('ANTHROPIC_API_KEY=[set]');
    expect(summary).toContain('OPENAI_BASE_URL=http://models/v1');
    expect(summary).not.toContain('hunter2');
  });

  it('warns about a name it does not know, with the nearest one it does', () => {
    expect(parseConfig({ ROCKPOOL_LOG_LEVLE: 'debug', ROCKPOOL_SOMETHING_ELSE_ENTIRELY: '1', OTHER: 'x' }).warnings).toEqual([
      'ROCKPOOL_LOG_LEVLE is no setting of Rockpool and is ignored. Did you mean ROCKPOOL_LOG_LEVEL?',
      'ROCKPOOL_SOMETHING_ELSE_ENTIRELY is no setting of Rockpool and is ignored.',
    ]);
  });

  it('says of every variable what it is for', () => {
    for (const [name, schema] of Object.entries(platformConfig.shape))
      expect([name, schema.meta()?.description]).toEqual([name, expect.any(String)]);
  });
});

describe('a process with a wrong configuration', () => {
  it('lists the problems on stderr and exits with 78', () => {
    const program = `import { loadConfig } from ${JSON.stringify(new URL('../dist/config.js', import.meta.url).href)}; loadConfig();`;
    const { status, stderr, stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
      env: { PATH: process.env['PATH'], PORT: 'eighty', ROCKPOOL_PRT: '1' },
      encoding: 'utf8',
    });
    expect({ status, stdout }).toEqual({ status: 78, stdout: '' });
    expect(stderr).toContain('warning: ROCKPOOL_PRT is no setting of Rockpool');
    expect(stderr).toContain('PORT is "eighty"');
  });
});

describe('the documentation of the configuration', () => {
  const repositoryFile = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

  it.each([
    ['.env.example', envExample()],
    ['docs/configuration.md', configurationPage()],
  ])('%s is what libs/service/scripts/write-configuration-docs.mjs writes', (path, expected) => {
    expect(repositoryFile(path)).toBe(expected);
  });
});
