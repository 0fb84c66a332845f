import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { RunningEmulator } from '../emulators/emulator.js';
import { findEmulators } from '../emulators/find-emulators.js';
import { borrowFirestoreEmulator, borrowPubSubEmulator } from '../emulators/shared-emulators.js';
import { startCloudTasksFake } from '../google/cloud-tasks-fake.js';
import { startMetadataServer, type MetadataServer } from '../google/metadata-server.js';
import { startPubSubFake, type PubSubFake } from '../google/pub-sub-fake.js';
import { startSecretManagerFake } from '../google/secret-manager-fake.js';
import { startStorageFake } from '../google/storage-fake.js';
import { compileCache, freePort, startProcess, type RunningProcess } from '../launch.js';
import { Balancer } from './balancer.js';
import { createPushTopology } from './push-topology.js';

export const stackApps = ['ingress', 'dispatcher', 'agent-host', 'scheduler', 'console'] as const;

export type StackApp = (typeof stackApps)[number];

/**
 * How messages reach the dispatcher.
 *
 * - `pull`: from the official emulator of Pub/Sub. It never learns that a stream was cut off (its 0.8.20 has no method that its own gRPC calls then), and keeps the keys of
 *   a subscriber that was killed for that one for good: not for whoever kills one of several.
 * - `pull-strict`: from the strict fake of Pub/Sub, which does.
 * - `push`: the strict fake posts them to the dispatcher's front, with the tokens and the settings that Terraform gives its subscriptions.
 */
export type StackDelivery = 'pull' | 'pull-strict' | 'push';

export interface StackOptions {
  /** The workspace. */
  readonly root: string;
  /** `<programs>/apps/<app>/dist/main.js` is what runs; of the workspace's own build when absent. */
  readonly programs?: string;
  /** Of each app, or of some; 2 of any that is not named. */
  readonly copies?: number | Partial<Record<StackApp, number>>;
  /** `pull` when absent. */
  readonly delivery?: StackDelivery;
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
  /** From now on the front gives this copy nothing: one that hangs fails its liveness probe. */
  leaveOut(copy: RunningProcess): void;
}

/** Why no stack can be started on this machine, in words for the title of a skipped test; `undefined` when one can. */
export function whyNoStack(delivery: StackDelivery = 'pull'): string | undefined {
  const { pubsub, firestore } = findEmulators();
  return (delivery === 'pull' ? pubsub.missing : undefined) ?? firestore.missing;
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
    readonly projectId: string,
    /** Issues the tokens that everybody here believes. */
    readonly metadata: MetadataServer,
    /** The bus, unless it is the emulator. */
    readonly pubSub: PubSubFake | undefined,
    private readonly closers: readonly (() => Promise<unknown>)[],
  ) {}

  /** Rejects with the reason when the emulators are not installed, and with its last output when an app does not become ready; nothing stays behind. */
  static async start(options: StackOptions): Promise<GoogleStack> {
    const closers: (() => Promise<unknown>)[] = [];
    try {
      const { apps, environment, projectId, metadata, pubSub } = await startParts(options, closers);
      return new GoogleStack(apps, environment, projectId, metadata, pubSub, closers);
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

type Parts = Pick<GoogleStack, 'apps' | 'environment' | 'projectId' | 'metadata' | 'pubSub'>;

async function startParts(options: StackOptions, closers: (() => Promise<unknown>)[]): Promise<Parts> {
  const { root, programs = root, copies = 2, delivery = 'pull', env = {}, ports = {}, nodeArgs = [], onLine } = options;
  const opened = <Part>(part: Part, close: (part: Part) => Promise<unknown>): Part => {
    closers.push(() => close(part));
    return part;
  };
  const projectId = `rockpool-${randomBytes(4).toString('hex')}`;
  const accountOf = (app: string) => `${app}@${projectId}.iam.gserviceaccount.com`;
  const metadata = opened(await startMetadataServer({ projectId, accounts: stackApps.map(accountOf) }), (server) => server.stop());
  const mint = (account: string, audience: string) => metadata.mint(account, audience);
  const [pubsub, firestore, tasks, secrets, storage] = await Promise.all([
    delivery === 'pull'
      ? borrowPubSubEmulator().then((emulator) => opened(emulator, () => emulator.stop()))
      : startPubSubFake({ mint }).then((fake) => opened(fake, () => fake.stop())),
    borrowFirestoreEmulator().then((emulator) => opened(emulator, () => emulator.stop())),
    startCloudTasksFake({ mint }).then((fake) => opened(fake, () => fake.stop())),
    startSecretManagerFake().then((fake) => opened(fake, () => fake.stop())),
    startStorageFake().then((fake) => opened(fake, () => fake.stop())),
  ]);

  const places = await Promise.all(
    stackApps.map(async (app) => {
      const own = await Promise.all(Array.from({ length: typeof copies === 'number' ? copies : (copies[app] ?? 2) }, () => freePort()));
      return { app, own, front: opened(await Balancer.start(own, ports[app] ?? 0), (front) => front.close()) };
    }),
  );
  const urlOf = (app: string) => places.find((place) => place.app === app)!.front.url;
  const pubSub = isFake(pubsub) ? pubsub : undefined;
  if (pubSub && delivery === 'push') await createPushTopology({ root, host: pubSub.host, projectId, urlOf, accountOf });
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
    // As their images have it: what one process compiled, no other compiles anew.
    NODE_COMPILE_CACHE: compileCache,
    ...(delivery === 'push' && { ROCKPOOL_BUS_DELIVERY: 'push' }),
    ...env,
  };
  const environmentOf = (app: StackApp) => ({ ...shared, GCE_METADATA_HOST: metadata.hosts[accountOf(app)]! });
  const running = await Promise.all(
    places.map(async ({ app, own, front }): Promise<[StackApp, StackedApp]> => {
      const started = await Promise.all(
        own.map(async (port, copy) => {
          const process = await startProcess({
            command: globalThis.process.execPath,
            args: [...nodeArgs, join(programs, `apps/${app}/dist/main.js`)],
            env: { ...environmentOf(app), PORT: String(port) },
            readyUrl: `http://127.0.0.1:${port}/readyz`,
            ...(onLine && { onLine: (line: string) => onLine(app, copy, line) }),
          });
          return opened(process, () => process.stop());
        }),
      );
      const leaveOut = (copy: RunningProcess) => front.leaveOut(own[started.indexOf(copy)]!);
      return [app, { url: front.url, copies: started, leaveOut }];
    }),
  );
  const apps = Object.fromEntries(running) as Record<StackApp, StackedApp>;
  return { apps, environment: environmentOf('console'), projectId, metadata, pubSub };
}

function isFake(pubsub: RunningEmulator | PubSubFake): pubsub is PubSubFake {
  return 'unacked' in pubsub;
}

/** The latest first: apps before what they stand on. */
async function closeAll(closers: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const close of [...closers].reverse()) await close();
}
