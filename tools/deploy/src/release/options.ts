import { parseArgs } from 'node:util';
import { appNames, InvalidInput, type AppName } from '@rockpool/contracts';
import type { Commands } from './commands.js';
import type { Deployment } from './deployment.js';

export const usage = `Usage: nx deploy @rockpool/<app>, nx run-many -t deploy, nx affected -t deploy
       node tools/deploy/dist/release/main.js <app> [options]

Builds the image of an app, pushes it, makes a revision without traffic, tests it, gives it the traffic, and takes that back when something fails.

  <app>              ${appNames.join(', ')}
  --project-id <id>  Google Cloud project; default: GOOGLE_CLOUD_PROJECT, else the one gcloud is set to
  --region <name>    default: ROCKPOOL_REGION, else europe-west1
  --image-tag <tag>  version that is built; default: IMAGE_TAG, else the commit that is checked out
  --image <ref>      deploy this image, and build nothing: an earlier version, or one that another environment runs
  --dry-run          print what would be done; needs no cloud
  --help             print this
`;

export interface Request {
  readonly deployment: Deployment;
  readonly isDryRun: boolean;
}

/** What stands for something that only the cloud or git could tell, in a plan. */
const unknownProject = '<project>';

/** What is asked for; `undefined`: help. Rejects with `invalid` when it makes no sense. */
export async function requestOf(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  commands: Commands,
  signal: AbortSignal,
): Promise<Request | undefined> {
  const { values, positionals } = parsed(argv);
  if (values.help) return undefined;
  const [app, ...more] = positionals;
  if (app === undefined || more.length > 0) throw new InvalidInput(`name one app: ${appNames.join(', ')}`);
  if (!(appNames as readonly string[]).includes(app)) throw new InvalidInput(`there is no app ${app}; there are ${appNames.join(', ')}`);
  const isDryRun = values['dry-run'];
  const given = values['project-id'] ?? (env['GOOGLE_CLOUD_PROJECT'] || undefined);
  const project = given ?? (isDryRun ? unknownProject : await projectOfGcloud(commands, signal));
  const region = values.region ?? (env['ROCKPOOL_REGION'] || 'europe-west1');
  const imageTag = values['image-tag'] ?? (env['IMAGE_TAG'] || (await commit(commands, signal)));
  if (!/^[A-Za-z0-9_][\w.-]{0,127}$/.test(imageTag)) throw new InvalidInput(`${imageTag} cannot be the tag of an image`);
  if (project !== unknownProject && !/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(project))
    throw new InvalidInput(`${project} cannot be the id of a project`);
  if (!/^[a-z]+(-[a-z]+)+\d+$/.test(region)) throw new InvalidInput(`${region} cannot be a region; one is europe-west1`);
  const deployment = { app: app as AppName, project, region, imageTag, ...(values.image !== undefined && { image: values.image }) };
  return { deployment, isDryRun };
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        'project-id': { type: 'string' },
        region: { type: 'string' },
        'image-tag': { type: 'string' },
        image: { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (cause) {
    throw new InvalidInput(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

async function projectOfGcloud(commands: Commands, signal: AbortSignal): Promise<string> {
  const project = (await commands.run('gcloud', ['config', 'get-value', 'project', '--quiet'], { signal })).trim();
  if (project === '' || project === '(unset)')
    throw new InvalidInput('no project: give --project-id, set GOOGLE_CLOUD_PROJECT, or type gcloud config set project');
  return project;
}

/** Tags are never overwritten, so what is not committed has a tag that no commit has. */
async function commit(commands: Commands, signal: AbortSignal): Promise<string> {
  const sha = (await commands.run('git', ['rev-parse', '--short=12', 'HEAD'], { signal })).trim();
  const changed = (await commands.run('git', ['status', '--porcelain', '--untracked-files=no'], { signal })).trim();
  return changed === '' ? sha : `${sha}-changed-${Math.floor(Date.now() / 1000)}`;
}
