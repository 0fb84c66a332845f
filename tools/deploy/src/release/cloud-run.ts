import { RockpoolError } from '@rockpool/contracts';
import { z } from 'zod';
import type { Commands } from './commands.js';

const traffic = z.object({
  revisionName: z.string().optional(),
  percent: z.number().optional(),
  tag: z.string().optional(),
  url: z.string().optional(),
});

const service = z.object({
  metadata: z.object({ name: z.string() }),
  status: z.object({ url: z.string().optional(), traffic: z.array(traffic).default([]) }).prefault({}),
});

const revision = z.object({
  status: z
    .object({ conditions: z.array(z.object({ type: z.string(), status: z.string(), message: z.string().optional() })).default([]) })
    .prefault({}),
});

/** A service as it is now. */
export interface Service {
  readonly name: string;
  readonly url: string | undefined;
  /** Who gets requests: percent by revision. */
  readonly serving: Readonly<Record<string, number>>;
  /** Revisions that have an address of their own. */
  readonly tagged: Readonly<Record<string, { readonly revision: string; readonly url: string }>>;
}

/** Where services are. */
export interface Place {
  readonly project: string;
  readonly region: string;
}

/** Arguments of `gcloud` for each step of a deployment, so that a plan shows what is run. */
export const gcloud = {
  services: (app: string, place: Place) => ['run', 'services', 'list', `--filter=metadata.labels.rockpool-app=${app}`, ...at(place)],
  service: (name: string, place: Place) => ['run', 'services', 'describe', name, ...at(place)],
  revision: (name: string, place: Place) => ['run', 'revisions', 'describe', name, ...at(place)],
  deploy: (name: string, image: string, tag: string, place: Place) => [
    ...['run', 'deploy', name, '--no-traffic', `--tag=${tag}`, ...at(place)],
    // What belongs to one container follows its name: a collector may run beside the app.
    ...['--container=app', `--image=${image}`],
  ],
  shift: (name: string, serving: Readonly<Record<string, number>>, place: Place) => {
    const shares = Object.entries(serving).map(([to, percent]) => `${to}=${percent}`);
    return ['run', 'services', 'update-traffic', name, `--to-revisions=${shares.join(',')}`, ...at(place)];
  },
  untag: (name: string, tag: string, place: Place) => ['run', 'services', 'update-traffic', name, `--remove-tags=${tag}`, ...at(place)],
};

function at({ project, region }: Place): string[] {
  return [`--project=${project}`, `--region=${region}`, '--format=json', '--quiet'];
}

/** Cloud Run by way of `gcloud`. Methods reject as `Commands.run` does, and with `internal` when gcloud answers something else than it is known to. */
export class CloudRun {
  constructor(
    private readonly commands: Commands,
    readonly place: Place,
  ) {}

  /** Names of the services that run an app: the app's own, and those of dedicated tenants. */
  async servicesOf(app: string, signal: AbortSignal): Promise<string[]> {
    const found = this.read(z.array(service), await this.commands.run('gcloud', gcloud.services(app, this.place), { signal }));
    return found
      .map(({ metadata }) => metadata.name)
      .sort((one, other) => Number(other === app) - Number(one === app) || (one < other ? -1 : 1));
  }

  async service(name: string, signal?: AbortSignal): Promise<Service> {
    const { metadata, status } = this.read(service, await this.commands.run('gcloud', gcloud.service(name, this.place), { signal }));
    const serving: Record<string, number> = {};
    const tagged: Record<string, { revision: string; url: string }> = {};
    for (const { revisionName, percent, tag, url } of status.traffic) {
      if (revisionName !== undefined && percent) serving[revisionName] = (serving[revisionName] ?? 0) + percent;
      if (revisionName !== undefined && tag !== undefined && url !== undefined) tagged[tag] = { revision: revisionName, url };
    }
    return { name: metadata.name, url: status.url, serving, tagged };
  }

  /** `undefined` when the revision is ready, else why it is not. */
  async whyNotReady(name: string, signal: AbortSignal): Promise<string | undefined> {
    const { status } = this.read(revision, await this.commands.run('gcloud', gcloud.revision(name, this.place), { signal }));
    const ready = status.conditions.find(({ type }) => type === 'Ready');
    return ready?.status === 'True' ? undefined : (ready?.message ?? 'Cloud Run does not say that it is ready');
  }

  /** Makes a revision that gets no requests but those to its tag. */
  async deploy(name: string, image: string, tag: string, signal: AbortSignal): Promise<void> {
    await this.commands.run('gcloud', gcloud.deploy(name, image, tag, this.place), { signal });
  }

  /** Without a signal it cannot be interrupted: that is for bringing traffic back. */
  async shift(name: string, serving: Readonly<Record<string, number>>, signal?: AbortSignal): Promise<void> {
    await this.commands.run('gcloud', gcloud.shift(name, serving, this.place), { signal });
  }

  async untag(name: string, tag: string): Promise<void> {
    await this.commands.run('gcloud', gcloud.untag(name, tag, this.place));
  }

  private read<Schema extends z.ZodType>(schema: Schema, text: string): z.output<Schema> {
    try {
      return schema.parse(JSON.parse(text));
    } catch (cause) {
      throw new RockpoolError(
        'internal',
        'gcloud answered something that is not what this deployment knows; update it with gcloud components update',
        {
          cause,
        },
      );
    }
  }
}
