import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryFolder } from '../repository.js';
import { startFakeCloud, type FakeCloud } from './fake-cloud.fixture.js';
import { runDeploy } from './run-deploy.js';

const patience = { attempts: 2, pauseMs: 1, timeoutMs: 5_000 };
const image = 'europe-west1-docker.pkg.dev/my-project/rockpool/ingress:abcdef123456';

let cloud: FakeCloud;
let interrupt: AbortController;
let output: string;
let errors: string;

beforeEach(async () => {
  cloud = await startFakeCloud();
  interrupt = new AbortController();
  output = '';
  errors = '';
});
afterEach(() => cloud.stop());

function run(...argv: string[]): Promise<number> {
  return runDeploy({
    argv,
    env: { ...cloud.env, GOOGLE_CLOUD_PROJECT: 'my-project' },
    write: (text) => (output += text),
    writeError: (text) => (errors += text),
    signal: interrupt.signal,
    patience,
  });
}

/** Who gets requests. */
const serving = (name: string) =>
  Object.fromEntries(
    cloud.state().services[name]!.traffic.flatMap(({ revisionName, percent }) => (percent ? [[revisionName, percent]] : [])),
  );
const tagsOf = (name: string) => cloud.state().services[name]!.traffic.flatMap(({ tag }) => tag ?? []);
const moves = () => cloud.calls().filter((line) => line.includes('update-traffic'));

describe('a deployment', () => {
  it('builds, pushes, deploys without traffic, tests, shifts the traffic, and tidies up', async () => {
    expect(await run('ingress')).toBe(0);
    expect(errors).toBe('');
    expect(serving('ingress')).toEqual({ 'ingress-00002': 100 });
    expect(tagsOf('ingress')).toEqual([]);
    const at = '--project=my-project --region=europe-west1 --format=json --quiet';
    expect(cloud.calls().filter((line) => !/ (describe|list) |^git /.test(line))).toEqual([
      'gcloud auth configure-docker europe-west1-docker.pkg.dev --quiet',
      `docker build --build-arg=APP=ingress --tag=${image} --platform=linux/amd64 .`,
      `docker push ${image}`,
      `gcloud run deploy ingress --no-traffic --tag=c-abcdef123456 ${at} --container=app --image=${image}`,
      `gcloud run services update-traffic ingress --to-revisions=ingress-00002=100 ${at}`,
      `gcloud run services update-traffic ingress --remove-tags=c-abcdef123456 ${at}`,
    ]);
    expect(output).toMatch(
      /building[\s\S]*pushing[\s\S]*new revision without traffic[\s\S]*readyz[\s\S]*traffic to ingress-00002[\s\S]*deployed in \d+ s/,
    );
  });

  it('builds nothing that the registry has', async () => {
    cloud.change((state) => state.images.push(image));
    expect(await run('ingress')).toBe(0);
    expect(cloud.calls().filter((line) => line.startsWith('docker'))).toEqual([]);
  });

  it('takes an image that exists, to go back to an earlier version', async () => {
    cloud.change((state) => state.images.push('registry/rockpool/ingress:earlier'));
    expect(await run('ingress', '--image', 'registry/rockpool/ingress:earlier')).toBe(0);
    expect(cloud.calls().filter((line) => line.startsWith('docker'))).toEqual([]);
    expect(serving('ingress')).toEqual({ 'ingress-00002': 100 });
  });

  it('of the agent host reaches the hosts of dedicated tenants too, after the pooled one', async () => {
    expect(await run('agent-host')).toBe(0);
    expect(serving('agent-host')).toEqual({ 'agent-host-00002': 100 });
    expect(serving('host-alice')).toEqual({ 'host-alice-00002': 100 });
    expect(moves().map((line) => line.split(' ')[4])).toEqual(['agent-host', 'agent-host', 'host-alice', 'host-alice']);
  });

  it('takes the project that gcloud is set to when none is named', async () => {
    await runDeploy({ argv: ['ingress'], env: cloud.env, write: () => {}, writeError: () => {}, signal: interrupt.signal, patience });
    expect(cloud.calls().find((line) => line.startsWith('gcloud run deploy'))).toContain('--project=project-of-gcloud');
  });
});

describe('a deployment that fails', () => {
  it('its test leaves the traffic where it is', async () => {
    cloud.answers.candidate = 503;
    expect(await run('ingress')).toBe(1);
    expect(serving('ingress')).toEqual({ 'ingress-00001': 100 });
    expect(moves().filter((line) => line.includes('--to-revisions'))).toEqual([]);
    expect(tagsOf('ingress')).toEqual([]);
    expect(errors).toContain('/readyz does not answer 200; the last answer: 503');
    expect(errors).toContain('ingress: the traffic was not touched');
  });

  it('the startup probe of a service that cannot be reached from here leaves the traffic where it is', async () => {
    cloud.change((state) => state.sick.push('agent-host-00002'));
    expect(await run('agent-host')).toBe(1);
    expect(serving('agent-host')).toEqual({ 'agent-host-00001': 100 });
    expect(serving('host-alice')).toEqual({ 'host-alice-00001': 100 });
    expect(errors).toContain('agent-host-00002 is not ready: the probe failed');
  });

  it('after the traffic was shifted brings it back', async () => {
    cloud.answers.live = 500;
    expect(await run('ingress')).toBe(1);
    expect(serving('ingress')).toEqual({ 'ingress-00001': 100 });
    expect(errors).toContain('ingress: the traffic is back at ingress-00001');
  });

  it('while the traffic is shifted brings back all shares there were', async () => {
    cloud.change((state) => {
      state.services['ingress']!.traffic = [
        { revisionName: 'ingress-00007', percent: 90 },
        { revisionName: 'ingress-00008', percent: 10 },
      ];
      state.failures.push({ match: '--to-revisions=ingress-00003', message: 'ERROR: the backend is away', times: 1 });
    });
    expect(await run('ingress')).toBe(1);
    expect(serving('ingress')).toEqual({ 'ingress-00007': 90, 'ingress-00008': 10 });
    expect(errors).toContain('the backend is away');
  });

  it('and cannot bring the traffic back says what to type', async () => {
    cloud.answers.live = 500;
    cloud.change((state) => state.failures.push({ match: '--to-revisions=ingress-00001', message: 'ERROR: away', times: 9 }));
    expect(await run('ingress')).toBe(1);
    expect(errors).toContain('THE TRAFFIC COULD NOT BE BROUGHT BACK');
    expect(errors).toContain('gcloud run services update-traffic ingress --to-revisions=ingress-00001=100 --project=my-project');
  });

  it('to build pushes nothing and touches no service', async () => {
    cloud.change((state) => state.failures.push({ match: 'docker build', message: 'no space left', times: 1 }));
    expect(await run('ingress')).toBe(1);
    expect(errors).toContain('no space left');
    expect(cloud.calls().filter((line) => /docker push|run deploy/.test(line))).toEqual([]);
  });
});

describe('what is missing is named', () => {
  it('when there is no gcloud', async () => {
    rmSync(join(cloud.env['PATH']!.split(':')[0]!, 'gcloud'));
    cloud.env['PATH'] = cloud.env['PATH']!.split(':')[0];
    expect(await run('ingress', '--image-tag', 'x')).toBe(69);
    expect(errors).toBe('gcloud is not on the PATH; install the Google Cloud CLI: https://cloud.google.com/sdk/docs/install\n');
  });

  it('when nobody is logged in', async () => {
    cloud.change((state) => (state.account = ''));
    expect(await run('ingress')).toBe(69);
    expect(errors).toBe('gcloud has no account; type: gcloud auth login\n');
  });

  it('when Terraform was not applied', async () => {
    expect(await run('scheduler')).toBe(69);
    expect(errors).toMatch(/^no Cloud Run service scheduler in my-project, europe-west1; apply infra\/environments first/);
    expect(cloud.calls().filter((line) => line.startsWith('docker'))).toEqual([]);
  });

  it.each([
    [['web'], 'there is no app web; there are ingress, dispatcher, agent-host, scheduler, console'],
    [[], 'name one app'],
    [['ingress', '--project-id', 'My Project'], 'My Project cannot be the id of a project'],
    [['ingress', '--region', 'Belgium'], 'Belgium cannot be a region'],
    [['ingress', '--image-tag', 'a b'], 'a b cannot be the tag of an image'],
    [['ingress', '--force'], "Unknown option '--force'"],
  ])('when %j makes no sense', async (argv, message) => {
    expect(await run(...argv)).toBe(64);
    expect(errors).toContain(message);
    expect(errors).toContain('Usage:');
  });
});

describe('Ctrl-C', () => {
  it('before the traffic is shifted ends the deployment and leaves the traffic', async () => {
    cloud.change((state) => (state.hang = 'run deploy'));
    const done = run('ingress');
    await cloud.called('gcloud run deploy');
    interrupt.abort();
    expect(await done).toBe(130);
    expect(serving('ingress')).toEqual({ 'ingress-00001': 100 });
    expect(errors).toContain('ingress: the traffic was not touched');
  });

  it('while the traffic is shifted brings it back', async () => {
    cloud.change((state) => (state.hang = '--to-revisions=ingress-00002'));
    const done = run('ingress');
    await cloud.called('--to-revisions=ingress-00002');
    interrupt.abort();
    expect(await done).toBe(130);
    expect(moves().at(-2)).toContain('--to-revisions=ingress-00001=100');
    expect(errors).toContain('ingress: the traffic is back at ingress-00001');
  });
});

describe('the command', () => {
  it('is ended by Ctrl-C with the traffic where it was', async () => {
    cloud.change((state) => (state.hang = '--to-revisions=ingress-00002'));
    const child = spawn(
      process.execPath,
      [join(repositoryFolder, 'tools/deploy/dist/release/main.js'), 'ingress', '--project-id', 'my-project'],
      {
        env: cloud.env,
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    const exit = once(child, 'exit');
    child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
    await cloud.called('--to-revisions=ingress-00002');
    child.kill('SIGINT');
    expect(await exit).toEqual([130, null]);
    expect(moves().at(-2)).toContain('--to-revisions=ingress-00001=100');
    expect(errors).toContain('stopping, and bringing the traffic back');
    expect(errors).toContain('ingress: the traffic is back at ingress-00001');
  });
});

describe('a dry run', () => {
  it('prints every step, and asks nobody but git', async () => {
    expect(await run('ingress', '--dry-run')).toBe(0);
    expect(cloud.calls().every((line) => line.startsWith('git '))).toBe(true);
    for (const step of [
      'docker build',
      'docker push',
      'gcloud run deploy ingress --no-traffic',
      '/readyz',
      'update-traffic ingress --to-revisions',
    ])
      expect(output).toContain(step);
  });

  it('needs no cloud, no docker and no git when the version is named', async () => {
    cloud.env['PATH'] = '';
    expect(await run('dispatcher', '--dry-run', '--image-tag', 'v1')).toBe(0);
    expect(output).toContain('gcloud run revisions describe');
    expect(output).toContain('europe-west1-docker.pkg.dev/my-project/rockpool/dispatcher:v1');
  });

  it('comes with help', async () => {
    expect(await run('--help')).toBe(0);
    expect(output).toContain('--dry-run');
  });
});
