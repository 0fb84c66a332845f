import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { startFirestoreEmulator, startPubSubEmulator } from '../emulators/emulator.js';
import { findEmulators } from '../emulators/find-emulators.js';
import { startCloudTasksFake } from '../google/cloud-tasks-fake.js';
import { startMetadataServer } from '../google/metadata-server.js';
import { startSecretManagerFake } from '../google/secret-manager-fake.js';
import { startStorageFake } from '../google/storage-fake.js';
import { freePort, startProcess, type RunningProcess } from '../launch.js';
import { Balancer } from './balancer.js';

export const stackApps = ['ingress', 'dispatcher', 'agent-host', 'scheduler', 'console'] as const;

export type StackApp = (typeof stackApps)[number];

export interface StackOptions {
  /** The built workspace: `<root>/apps/<app>/dist/main.js` is what runs. */
  readonly root: string;
  /** Of each app; 2 when absent. */
  readonly copies?: number;
  /** Variables of every app, beside those that say where the others are. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ports of the fronts; free ones when absent. */
  readonly ports?: Partial<Record<StackApp, number>>;
  /** Told every line that a copy prints. */
  readonly onLine?: (app: StackApp, copy: number, line: string) => void;
  /** Options for `node`, such as `--import`. */
  readonly nodeArgs?: readonly string[];
}

/** One app: its copies, and the address that stands for all of them. */
export interface StackedApp {
  readonly url: string;
  readonly copies: readonly RunningProcess[];
}

/** Why no stack can be started on this machine, in words for the title of a skipped test; `undefined` when one can. */
export function whyNoStack(): string | undefined {
  const { pubsub, firestore } = findEmulators();
  return pubsub.missing ?? firestore.missing;
}

/**
 * The platform on the Google engine, on this machine: the official emulators of Pub/Sub and Firestore, stand-ins for Cloud Tasks, Secret Manager, Cloud Storage and the
 * metadata server, and each app as processes of its own behind a front. All of it ends with {@link GoogleStack.stop}, and at the latest with this process.
 */
export class GoogleStack {
  private constructor(
    readonly apps: Readonly<Record<StackApp, StackedApp>>,
    /** What the command line needs to work on this installation. */
    readonly environment: Readonly<Record<string, string>>,
    private readonly closers: readonly (() => Promise<unknown>)[],
  ) {}

  /** Rejects with the reason when the emulators are not installed, and with its last output when an app does not become ready; nothing stays behind. */
  static async start(options: StackOptions): Promise<GoogleStack> {
    const closers: (() => Promise<unknown>)[] = [];
    try {
      const { apps, environment } = await startParts(options, closers);
      return new GoogleStack(apps, environment, closers);
    } catch (error) {
      await closeAll(closers);
      throw error;
    }
  }

  /** Where channels deliver to. */
  get url(): string {
    return this.apps.ingress.url;
  }

  /** All processes of the platform. */
  get processes(): readonly RunningProcess[] {
    return Object.values(this.apps).flatMap(({ copies }) => copies);
  }

  /** Ends everything, without a word. */
  async stop(): Promise<void> {
    await closeAll(this.closers);
  }
}

async function startParts(options: StackOptions, closers: (() => Promise<unknown>)[]): Promise<Pick<GoogleStack, 'apps' | 'environment'>> {
  const { root, copies = 2, env = {}, ports = {}, nodeArgs = [], onLine } = options;
  const opened = <Part>(part: Part, close: (part: Part) => Promise<unknown>): Part => {
    closers.push(() => close(part));
    return part;
  };
  const projectId = `rockpool-${randomBytes(4).toString('hex')}`;
  const accountOf = (app: StackApp) => `${app}@${projectId}.iam.gserviceaccount.com`;
  const metadata = opened(await startMetadataServer({ projectId, accounts: stackApps.map(accountOf) }), (server) => server.stop());
  const [pubsub, firestore, tasks, secrets, storage] = await Promise.all([
    startPubSubEmulator().then((emulator) => opened(emulator, () => emulator.stop())),
    startFirestoreEmulator().then((emulator) => opened(emulator, () => emulator.stop())),
    startCloudTasksFake({ mint: async (account, audience) => metadata.sign(metadata.claims(account, audience)) }).then((fake) =>
      opened(fake, () => fake.stop()),
    ),
    startSecretManagerFake().then((fake) => opened(fake, () => fake.stop())),
    startStorageFake().then((fake) => opened(fake, () => fake.stop())),
  ]);

  const places = await Promise.all(
    stackApps.map(async (app) => {
      const own = await Promise.all(Array.from({ length: copies }, () => freePort()));
      return { app, own, front: opened(await Balancer.start(own, ports[app] ?? 0), (front) => front.close()) };
    }),
  );
  const urlOf = (app: StackApp) => places.find((place) => place.app === app)!.front.url;
  const shared = {
    ROCKPOOL_ENGINE: 'google',
    GOOGLE_CLOUD_PROJECT: projectId,
    PUBSUB_EMULATOR_HOST: pubsub.host,
    FIRESTORE_EMULATOR_HOST: firestore.host,
    STORAGE_EMULATOR_HOST: storage.url,
    ROCKPOOL_TASKS_ENDPOINT: tasks.host,
    ROCKPOOL_SECRETS_ENDPOINT: secrets.host,
    ROCKPOOL_CERTS_URL: metadata.certsUrl,
    ROCKPOOL_PUBLIC_URL: urlOf('ingress'),
    ROCKPOOL_DISPATCHER_URL: urlOf('dispatcher'),
    ROCKPOOL_AGENT_HOST_URL: urlOf('agent-host'),
    ROCKPOOL_SCHEDULER_URL: urlOf('scheduler'),
    ROCKPOOL_ADMIN_TOKEN: randomBytes(24).toString('hex'),
    ROCKPOOL_LOG_FORMAT: 'json',
    ...env,
  };
  const environmentOf = (app: StackApp) => ({ ...shared, GCE_METADATA_HOST: metadata.hosts[accountOf(app)]! });
  const running = await Promise.all(
    places.map(async ({ app, own, front }): Promise<[StackApp, StackedApp]> => {
      const started = await Promise.all(
        own.map(async (port, copy) => {
          const process = await startProcess({
            command: globalThis.process.execPath,
            args: [...nodeArgs, join(root, `apps/${app}/dist/main.js`)],
            env: { ...environmentOf(app), PORT: String(port) },
            readyUrl: `http://127.0.0.1:${port}/readyz`,
            timeoutMs: 60_000,
            ...(onLine && { onLine: (line: string) => onLine(app, copy, line) }),
          });
          return opened(process, () => process.stop());
        }),
      );
      return [app, { url: front.url, copies: started }];
    }),
  );
  const apps = Object.fromEntries(running) as Record<StackApp, StackedApp>;
  return { apps, environment: environmentOf('console') };
}

/** The latest first: apps before what they stand on. */
async function closeAll(closers: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const close of [...closers].reverse()) await close();
}
