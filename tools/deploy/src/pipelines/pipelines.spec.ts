import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { appNames } from '@rockpool/contracts';
import { parse } from 'yaml';
import { repositoryFolder } from '../repository.js';

interface Step {
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
}
interface Job {
  if?: string;
  permissions?: Record<string, string>;
  environment?: string;
  steps: Step[];
}
interface Workflow {
  on: Record<string, unknown>;
  permissions: Record<string, string>;
  jobs: Record<string, Job>;
}

const textOf = (path: string) => readFileSync(join(repositoryFolder, path), 'utf8');
const workflowNames = globSync('.github/workflows/*.yml', { cwd: repositoryFolder }).sort();
const workflows = workflowNames.map((path) => [path, parse(textOf(path)) as Workflow] as const);
const deploy = (parse(textOf('.github/workflows/deploy.yml')) as Workflow).jobs['deploy']!;

describe('the deploy target', () => {
  it.each(appNames)('is there for the app %s, and deploys that one', (name) => {
    const { nx } = JSON.parse(textOf(`apps/${name}/package.json`)) as { nx: { targets: { deploy: { cache: boolean; options: object } } } };
    expect(nx.targets.deploy).toMatchObject({ cache: false, options: { command: `node tools/deploy/dist/release/main.js ${name}` } });
  });

  it('is there for apps that are deployed, and for nothing else', () => {
    const others = globSync('{apps,libs,tools}/*/package.json', { cwd: repositoryFolder }).filter(
      (path) => !(appNames as readonly string[]).map((name) => `apps/${name}/package.json`).includes(path),
    );
    expect(others.filter((path) => /"deploy": \{/.test(textOf(path)))).toEqual([]);
  });
});

describe('GitHub Actions', () => {
  it('verify every pull request, and deploy main', () => {
    expect(workflowNames).toEqual(['.github/workflows/deploy.yml', '.github/workflows/verify.yml']);
    const verify = parse(textOf('.github/workflows/verify.yml')) as Workflow;
    expect(Object.keys(verify.on)).toContain('pull_request');
    expect(verify.jobs['verify']!.steps.map(({ run }) => run)).toContain('.ci/run');
    expect(deploy.if).toContain("workflow_run.event == 'push'");
    expect(deploy.steps.at(-1)!.run).toContain('nx affected -t deploy');
  });

  it.each(workflows)('use only actions of one exact commit: %s', (_path, { jobs }) => {
    const used = Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ uses }) => uses ?? []));
    expect(used.filter((action) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/.test(action))).toEqual([]);
  });

  it.each(workflows)('may read, and no more, where they are not told otherwise: %s', (_path, { permissions }) => {
    expect(permissions).toEqual({ contents: 'read' });
  });

  it('come in without a key', () => {
    expect(deploy.permissions).toEqual({ contents: 'read', actions: 'read', 'id-token': 'write' });
    const auth = deploy.steps.find(({ uses }) => uses?.startsWith('google-github-actions/auth@'))!;
    expect(Object.keys(auth.with!).sort()).toEqual(['project_id', 'service_account', 'workload_identity_provider']);
    for (const path of [...workflowNames, 'cloudbuild.yaml']) expect(textOf(path)).not.toMatch(/credentials_json|secrets\.|PRIVATE KEY/);
  });

  it('name only outputs that bootstrap has', () => {
    const outputs = textOf('infra/bootstrap/outputs.tf');
    for (const name of ['WORKLOAD_IDENTITY_PROVIDER', 'DEPLOYER']) {
      expect(textOf('.github/workflows/deploy.yml')).toContain(`vars.${name}`);
      expect(outputs).toContain(name);
    }
  });
});

describe('Cloud Build', () => {
  it('deploys with the same command', () => {
    const build = parse(textOf('cloudbuild.yaml')) as { steps: { id: string; args: string[]; env?: string[] }[] };
    const step = build.steps.find(({ id }) => id === 'deploy')!;
    expect(step.args.at(-1)).toContain('nx run-many -t deploy');
    expect(step.args.at(-1)).toContain('nx affected -t deploy');
    expect(step.env).toEqual(
      expect.arrayContaining(['GOOGLE_CLOUD_PROJECT=$PROJECT_ID', 'ROCKPOOL_REGION=$_REGION', 'IMAGE_TAG=$_IMAGE_TAG']),
    );
  });
});
