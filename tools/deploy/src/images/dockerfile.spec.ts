import { execFile } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseConfig } from '@rockpool/service/config';
import { imageEnvironment, instructionsOf, readDockerfile, root, type Stage } from './container-files.fixture.js';
import { compileCacheFolder } from './compile-cache.js';
import { imageNamed, images } from './images.js';

const run = promisify(execFile);
const stages = readDockerfile();
const stage = (name: string): Stage => stages.find((candidate) => candidate.name === name)!;
const app = stages.at(-1)!;

describe('the Dockerfile', () => {
  it('builds the app when no target is named', () => {
    expect(app.name).toBe('app');
  });

  it('starts each stage from one that came before it, or from an image of one version', () => {
    for (const [index, { from }] of stages.entries()) {
      const isEarlier = stages.slice(0, index).some(({ name }) => name === from);
      if (!isEarlier) expect(from).toMatch(/^[\w./-]+:(?!latest)[\w.-]+$/);
    }
  });

  it('copies what is there, from stages that are there', () => {
    const copies = stages.flatMap((each) => instructionsOf(each, 'COPY'));
    expect(copies.length).toBeGreaterThan(5);
    for (const text of copies) {
      const from = /--from=(\S+)/.exec(text)?.[1];
      const sources = text
        .replaceAll(/--\S+\s+/g, '')
        .split(/\s+/)
        .slice(0, -1);
      if (from !== undefined) expect(stages.map(({ name }) => name)).toContain(from);
      else for (const source of sources) expect({ source, exists: existsSync(join(root, source)) }).toEqual({ source, exists: true });
    }
  });

  it('leaves out of its context nothing that it copies or builds', () => {
    const ignored = readFileSync(join(root, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    const names = ignored.map((line) => line.replace(/^\*\*\//, ''));
    for (const needed of ['apps', 'libs', 'tools', 'docker', 'package.json', 'package-lock.json', '.npmrc', 'tsconfig.build.json']) {
      expect(names).not.toContain(needed);
    }
    expect(names).toEqual(expect.arrayContaining(['node_modules', 'dist', '.git', '.env', '.rockpool', '*.tsbuildinfo']));
  });

  it('installs with every package.json of the workspaces, and no source', () => {
    const [, command = ''] = instructionsOf(stage('manifests'), 'RUN')
      .map((text) => /cp --parents (.*) \/manifests/.exec(text)!)
      .at(0)!;
    const { workspaces } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { workspaces: string[] };
    const taken = command.split(' ').flatMap((pattern) => globSync(pattern, { cwd: root }));
    for (const workspace of workspaces)
      for (const file of globSync(`${workspace}/package.json`, { cwd: root })) expect(taken).toContain(file);
    expect(taken.filter((file) => /\.(ts|js)$/.test(file))).toEqual([]);
  });

  it('runs the program as nobody in particular, by itself, and lets it be told to end', () => {
    expect(instructionsOf(app, 'USER').at(-1)).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(JSON.parse(instructionsOf(app, 'ENTRYPOINT').at(-1)!)).toEqual(['/usr/local/bin/node', '/app/main.js']);
    expect(JSON.parse(instructionsOf(app, 'CMD').at(-1)!)).toEqual([]);
    expect(instructionsOf(app, 'STOPSIGNAL')).toEqual(['SIGTERM']);
    expect(instructionsOf(app, 'RUN')).toEqual([]);
  });

  it('compiles ahead as the user, and in the place, that the program will have', () => {
    const program = stage('program');
    const environment = imageEnvironment(app);
    expect(instructionsOf(program, 'USER')).toEqual(instructionsOf(app, 'USER'));
    expect(instructionsOf(program, 'RUN').at(-1)).toContain('--out /app --warm');
    expect(environment).toMatchObject({ NODE_COMPILE_CACHE: `/app/${compileCacheFolder}`, NODE_COMPILE_CACHE_PORTABLE: '1' });
  });

  it('sets only what Node or the configuration knows, and listens where EXPOSE says', () => {
    const environment = imageEnvironment(app);
    const ours = Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('NODE_')));
    const { config, warnings } = parseConfig(ours) as { config: Record<string, unknown>; warnings: readonly string[] };
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({ ROCKPOOL_HOST: '0.0.0.0', ROCKPOOL_DATA_DIR: '/data' });
    expect(instructionsOf(app, 'EXPOSE')).toEqual([String(config['PORT'])]);
  });

  it('builds an app that there is when none is named', () => {
    const [, fallback = ''] = /^APP=(.+)$/.exec(instructionsOf(stage('program'), 'ARG')[0]!)!;
    expect(imageNamed(fallback)).toBeDefined();
    for (const { entry } of images) expect(existsSync(join(root, entry.replace('/dist/', '/src/').replace(/\.js$/, '.ts')))).toBe(true);
  });
});

describe('the health check of the images', () => {
  let server: Server;
  let status = 200;
  const asked: string[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(request.url!);
      response.writeHead(status).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  const check = async (port = (server.address() as AddressInfo).port) => {
    const [, file] = JSON.parse(/\[.*\]$/.exec(instructionsOf(app, 'HEALTHCHECK')[0]!)![0]) as [string, string];
    const copied = instructionsOf(app, 'COPY')
      .find((text) => text.endsWith(` ${file}`))!
      .split(' ')[0]!;
    return run(process.execPath, [join(root, copied)], { env: { PORT: String(port) } }).then(
      () => 0,
      (error: { code: number }) => error.code,
    );
  };

  it('is 0 when the app is ready', async () => {
    status = 200;
    expect(await check()).toBe(0);
    expect(asked).toContain('/readyz');
  });

  it('is 1 when the app is not ready', async () => {
    status = 503;
    expect(await check()).toBe(1);
  });

  it('is 1 when nobody listens', async () => {
    expect(await check(9)).toBe(1);
  });
});
