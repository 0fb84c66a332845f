import { apps, RockpoolError, type AppName } from '@rockpool/contracts';
import { CloudRun, gcloud } from './cloud-run.js';
import { CommandFailed, commandLine, type Commands } from './commands.js';
import { rollOut } from './rollout.js';
import type { Patience } from './smoke-test.js';

export interface Deployment {
  readonly app: AppName;
  readonly project: string;
  readonly region: string;
  /** Tag of the image: the commit it is built from. */
  readonly imageTag: string;
  /** An image that exists: nothing is built. */
  readonly image?: string;
}

export interface DeployOptions {
  readonly commands: Commands;
  readonly patience: Patience;
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
}

/** Where the app's image of this commit is. */
function imageOf({ app, project, region, imageTag, image }: Deployment): string {
  return image ?? `${region}-docker.pkg.dev/${project}/rockpool/${app}:${imageTag}`;
}

/** The tag of the revision: letters, digits and dashes, and with the name of the service at most 63 of them. */
function revisionTag({ imageTag }: Deployment): string {
  const short = imageTag
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 12);
  return `c-${short.replace(/-+$/, '')}`;
}

const docker = {
  configure: (host: string) => ['auth', 'configure-docker', host, '--quiet'],
  exists: (image: string, project: string) => [
    'artifacts',
    'docker',
    'images',
    'describe',
    image,
    `--project=${project}`,
    '--format=json',
    '--quiet',
  ],
  build: (app: string, image: string) => ['build', `--build-arg=APP=${app}`, `--tag=${image}`, '--platform=linux/amd64', '.'],
  push: (image: string) => ['push', image],
};

/** What {@link deploy} would do, line by line. Nothing is run, nothing is asked. */
export function planOf(deployment: Deployment): string[] {
  const { app, project, region } = deployment;
  const image = imageOf(deployment);
  const tag = revisionTag(deployment);
  const place = { project, region };
  const build = [
    commandLine('gcloud', docker.configure(hostOf(image))),
    `${commandLine('docker', docker.build(app, image))}    # unless the registry has it`,
    commandLine('docker', docker.push(image)),
  ];
  return [
    ...(deployment.image === undefined ? build : []),
    `${commandLine('gcloud', gcloud.services(app, place))}    # and for each of these services:`,
    commandLine('gcloud', gcloud.deploy(app, image, tag, place)),
    apps[app].public
      ? `GET https://${tag}---${app}-….run.app/readyz    # until it answers 200`
      : `${commandLine('gcloud', gcloud.revision('NEW_REVISION', place))}    # until it is ready: its startup probe asks for /readyz`,
    commandLine('gcloud', gcloud.shift(app, { NEW_REVISION: 100 }, place)),
    ...(apps[app].public ? [`GET https://${app}-….run.app/readyz    # until it answers 200`] : []),
    commandLine('gcloud', gcloud.untag(app, tag, place)),
    'when a step fails: the traffic goes back to the revisions that had it',
  ];
}

/**
 * Builds, pushes and rolls out one app, to its own service and then to those of dedicated tenants, one after the other. Rejects when a step fails; the service of that
 * step is then as it was before, those before it have the new image.
 */
export async function deploy(deployment: Deployment, { commands, patience, signal, tell }: DeployOptions): Promise<void> {
  const { app, project, region } = deployment;
  await requireLogin(commands, signal);
  const run = new CloudRun(commands, { project, region });
  const services = await run.servicesOf(app, signal);
  if (!services.includes(app)) {
    const remedy = 'apply infra/environments first (docs/deploy.md), or see that --project-id and --region are right';
    throw new RockpoolError('not_found', `no Cloud Run service ${app} in ${project}, ${region}; ${remedy}`);
  }
  const image = imageOf(deployment);
  if (deployment.image === undefined) await build(deployment, image, { commands, signal, tell });
  for (const name of services) {
    await rollOut(run, name, { image, tag: revisionTag(deployment), isPublic: apps[app].public, patience, signal, tell });
    tell(`${name}: serves ${image}`);
  }
}

async function requireLogin(commands: Commands, signal: AbortSignal): Promise<void> {
  const account = await commands.run('gcloud', ['auth', 'list', '--filter=status:ACTIVE', '--format=value(account)'], { signal });
  if (account.trim() === '') throw new RockpoolError('unauthenticated', 'gcloud has no account; type: gcloud auth login');
}

async function build(
  { app, project }: Deployment,
  image: string,
  { commands, signal, tell }: Pick<DeployOptions, 'commands' | 'signal' | 'tell'>,
): Promise<void> {
  if (await isPushed(image, project, commands, signal)) {
    tell(`${app}: the registry has ${image}`);
    return;
  }
  await commands.run('gcloud', docker.configure(hostOf(image)), { signal });
  tell(`${app}: building ${image}`);
  await commands.run('docker', docker.build(app, image), { signal, watch: true });
  tell(`${app}: pushing`);
  await commands.run('docker', docker.push(image), { signal, watch: true });
}

async function isPushed(image: string, project: string, commands: Commands, signal: AbortSignal): Promise<boolean> {
  try {
    await commands.run('gcloud', docker.exists(image, project), { signal });
    return true;
  } catch (error) {
    if (error instanceof CommandFailed && /NOT_FOUND|not found/i.test(error.stderr)) return false;
    throw error;
  }
}

function hostOf(image: string): string {
  return image.split('/', 1)[0]!;
}
