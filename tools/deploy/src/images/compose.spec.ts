import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { apps, appNames, type AppName } from '@rockpool/contracts';
import { parseConfig, variableNames, type PlatformConfig } from '@rockpool/service/config';
import { parseTenantsFile } from '@rockpool/tenancy';
import { startProcess } from '@rockpool/testkit';
import {
  imageEnvironment,
  instructionsOf,
  readCollector,
  readCompose,
  readDockerfile,
  root,
  type ComposeService,
} from './container-files.fixture.js';
import { imageNamed } from './images.js';

const compose = readCompose();
const stages = readDockerfile();
const services = Object.entries(compose.services);
const ours = services.filter(([, { build }]) => build?.target === 'app');

/** Read by Google's client libraries, not by Rockpool. */
const readByLibraries = ['GCE_METADATA_HOST'];

const hasHealthCheck = ({ build, healthcheck }: ComposeService): boolean =>
  healthcheck
    ? healthcheck.disable !== true
    : stages.some((stage) => stage.name === build?.target && instructionsOf(stage, 'HEALTHCHECK').length > 0);

/** Ports a service listens on inside its network. */
const portsOf = ({ expose = [], build }: ComposeService): string[] =>
  build?.target === 'app'
    ? instructionsOf(
        stages.find(({ name }) => name === 'app')!,
        'EXPOSE',
      )
    : [...expose];

/** What a container of the image is given: its image's variables, and over them its own that are not empty. */
function configOf({ environment = {} }: ComposeService) {
  const image = imageEnvironment(stages.find(({ name }) => name === 'app')!);
  const all = Object.entries({ ...image, ...environment }).filter(([name]) => !name.startsWith('NODE_') && !readByLibraries.includes(name));
  return parseConfig(Object.fromEntries(all));
}

/** `host:port` of a value such as `fakes:8087` or `http://fakes:8090/certs`. */
const addressIn = (value: string): [string, string] | undefined => {
  const [, host, port] = /^(?:https?:\/\/)?([a-z][a-z0-9-]*):(\d+)(?:\/|$)/.exec(value) ?? [];
  return host && port ? [host, port] : undefined;
};

describe('docker-compose.yml', () => {
  it('runs every app, built from the Dockerfile, under the name of its image', () => {
    for (const name of appNames) expect(Object.keys(compose.services)).toContain(name);
    for (const [name, { build, image }] of services.filter(([, service]) => service.build)) {
      expect({ name, context: build!.context }).toEqual({ name, context: '.' });
      expect(stages.map((stage) => stage.name)).toContain(build!.target);
      if (build!.target !== 'app') continue;
      expect(imageNamed(build!.args!['APP']!)).toBeDefined();
      expect(image).toBe(`rockpool/${build!.args!['APP']}`);
    }
  });

  it('names one version of every image that it does not build', () => {
    for (const [, { image }] of services.filter(([, { build }]) => !build)) expect(image).toMatch(/^[\w./-]+:\d[\w.-]+$/);
  });

  it.each(ours)('gives %s settings that it knows and takes', (_, service) => {
    for (const name of Object.keys(service.environment ?? {})) expect([...variableNames, ...readByLibraries]).toContain(name);
    expect(configOf(service)).toMatchObject({ warnings: [], config: {} });
  });

  it.each(appNames)('gives %s the engine, and the rights of its own service account alone', (name) => {
    const { environment = {} } = compose.services[name]!;
    const { config } = configOf(compose.services[name]!) as { config: PlatformConfig };
    expect(config).toMatchObject({ ROCKPOOL_ENGINE: 'google', ROCKPOOL_CREATE_TOPOLOGY: true, ROCKPOOL_BUS_DELIVERY: 'pull' });
    const [, port] = addressIn(environment['GCE_METADATA_HOST']!)!;
    const metadata = compose.services['fakes']!.command!.find((argument) => argument.startsWith('--metadata-ports='))!;
    expect(metadata.slice(metadata.indexOf('=') + 1).split(',')).toContain(`${name}=${port}`);
  });

  it.each(appNames)('gives %s keys of models only where it may have them', (name) => {
    const allowed: readonly string[] = apps[name as AppName].secretVariables;
    const given = Object.keys(compose.services[name]!.environment ?? {}).filter((variable) => variable.endsWith('_API_KEY'));
    for (const variable of given) expect(allowed).toContain(variable);
  });

  it('leads every address to a service that listens there', () => {
    const addresses = services.flatMap(([name, { environment = {}, command = [] }]) =>
      [...Object.values(environment), ...command].flatMap((value) => {
        const address = addressIn(value);
        return address ? [{ name, address }] : [];
      }),
    );
    expect(addresses.length).toBeGreaterThan(30);
    for (const { name, address } of addresses) {
      const [host, port] = address;
      expect({ name, address, listens: portsOf(compose.services[host]!) }).toEqual({
        name,
        address,
        listens: expect.arrayContaining([port]),
      });
    }
  });

  it.each(services.filter(([, { expose, command }]) => expose && command && !command[0]!.startsWith('--config')))(
    'has %s listen on the ports it exposes',
    (_, { expose, command }) => {
      for (const port of expose!) expect(command!.join(' ')).toMatch(new RegExp(`[=:]${port}(,|$| )`));
    },
  );

  it('gives the stand-ins arguments that they take', async () => {
    const { command = [] } = compose.services['fakes']!;
    // On this machine's loopback address, and any free ports.
    const args = command.map((argument) => argument.replaceAll(/=\d{4}\b/g, '=0').replace('0.0.0.0', '127.0.0.1'));
    const entrypoint = JSON.parse(
      instructionsOf(
        stages.find(({ name }) => name === 'fakes')!,
        'ENTRYPOINT',
      )[0]!,
    ) as string[];
    const fakes = await startProcess({
      command: process.execPath,
      args: [join(root, entrypoint[1]!.replace('/src/', '')), ...args],
      readyLine: /^\{/,
    });
    const ready = JSON.parse(fakes.lines.find((line) => line.startsWith('{'))!) as { project: string; metadata: object };
    expect(await fakes.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(ready.project).toBe(compose.services['ingress']!.environment!['GOOGLE_CLOUD_PROJECT']);
    expect(Object.keys(ready.metadata)).toEqual(appNames);
  });

  it('publishes ingress, console, the whole product and the traces, each on a port of its own of the loopback address', () => {
    const published = services.filter(([, { ports }]) => ports).map(([name, { ports }]) => [name, ports!] as const);
    expect(published.map(([name]) => name).sort()).toEqual(['console', 'embedded', 'ingress', 'traces']);
    const bindings = published.flatMap(([, ports]) => ports);
    for (const binding of bindings) expect(binding).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    expect(new Set(bindings.map((binding) => binding.split(':')[1])).size).toBe(bindings.length);
    for (const [name, ports] of published) {
      if (name !== 'traces') expect(ports.map((port) => port.split(':')[2])).toEqual(portsOf(compose.services[name]!));
    }
  });

  it('waits for what can say that it is healthy, never in a circle, and for nothing that a profile leaves out', () => {
    const after = (name: string, path: readonly string[] = []): void => {
      expect(path).not.toContain(name);
      for (const [needed, { condition }] of Object.entries(compose.services[name]!.depends_on ?? {})) {
        const service = compose.services[needed]!;
        expect(service.profiles).toBeUndefined();
        expect({ name, needed, condition }).toEqual({
          name,
          needed,
          condition: hasHealthCheck(service) ? 'service_healthy' : 'service_started',
        });
        after(needed, [...path, name]);
      }
    };
    for (const [name] of services) after(name);
  });

  it('has one profile: the whole product in one container, which needs no other', () => {
    const profiled = services.filter(([, { profiles }]) => profiles);
    expect(profiled.map(([name, { profiles }]) => [name, profiles])).toEqual([['embedded', ['embedded']]]);
    expect(compose.services['embedded']!.depends_on).toBeUndefined();
    expect(compose.services['embedded']!.environment).not.toHaveProperty('ROCKPOOL_ENGINE');
  });

  it('keeps what the whole product stores, and its key, in volumes of their own', () => {
    const { config } = configOf(compose.services['embedded']!) as { config: PlatformConfig };
    const mounts = new Map(compose.services['embedded']!.volumes!.map((volume) => volume.split(':').reverse() as [string, string]));
    expect(mounts.get(config.ROCKPOOL_DATA_DIR)).toBe('data');
    expect(mounts.get(config.ROCKPOOL_KEY_FILE.replace(/\/[^/]+$/, ''))).toBe('keys');
    expect(Object.keys(compose.volumes)).toEqual(['data', 'keys']);
  });

  it('mounts files that are there, and to be read only', () => {
    const files = services.flatMap(([, { volumes = [] }]) => volumes).filter((volume) => volume.startsWith('.'));
    for (const [source, , mode] of files.map((volume) => volume.split(':'))) {
      expect({ source, exists: existsSync(join(root, source!)), mode }).toEqual({ source, exists: true, mode: 'ro' });
    }
  });

  it.each(ours)('gives %s a file system it cannot write to, no capability, and time to end in order', (_, service) => {
    expect(service).toMatchObject({ read_only: true, init: true, cap_drop: ['ALL'] });
    const { config } = configOf(service) as { config: PlatformConfig };
    expect(Number.parseInt(service.stop_grace_period!) * 1_000).toBeGreaterThan(config.ROCKPOOL_SHUTDOWN_TIMEOUT_MS);
  });

  it('starts with tenants that are right', () => {
    const parsed = parseTenantsFile(readFileSync(join(root, 'docker/tenants.yaml'), 'utf8'));
    expect(parsed).not.toHaveProperty('problems');
    expect(parsed).toHaveProperty('file.tenants.demo');
  });
});

describe('the collector', () => {
  it('takes what the apps send, and passes it on to the trace UI', () => {
    const { receivers, processors, exporters, service } = readCollector();
    const [, port] = receivers.otlp.protocols['http']!.endpoint.split(':');
    expect(portsOf(compose.services['collector']!)).toEqual([port]);
    const [host, target] = exporters['otlp']!.endpoint.split(':') as [string, string];
    expect(portsOf(compose.services[host]!)).toContain(target);
    for (const pipeline of Object.values(service.pipelines)) {
      for (const name of pipeline.receivers) expect(receivers).toHaveProperty(name);
      for (const name of pipeline.processors) expect(processors).toHaveProperty(name);
      for (const name of pipeline.exporters) expect(exporters).toHaveProperty(name);
    }
  });
});

describe('docker compose', () => {
  const { status, stderr, error } = spawnSync('docker', ['compose', 'version'], { encoding: 'utf8' });
  const missing = status === 0 ? undefined : (error?.message ?? stderr.trim().split('\n')[0] ?? 'it does not start');

  (missing === undefined ? it : it.skip)(`accepts the file${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
    const checked = spawnSync('docker', ['compose', '--profile', 'embedded', 'config', '--quiet'], { cwd: root, encoding: 'utf8' });
    expect({ status: checked.status, stderr: checked.stderr }).toEqual({ status: 0, stderr: '' });
  });
});
