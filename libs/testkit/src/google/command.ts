import { Command, InvalidArgumentError } from 'commander';
import { startCloudTasksFake } from './cloud-tasks-fake.js';
import { startMetadataServer } from './metadata-server.js';
import { startSecretManagerFake } from './secret-manager-fake.js';
import { startStorageFake } from './storage-fake.js';

/** Where the command writes, and what ends it. */
export interface GoogleFakesIo {
  readonly output: (text: string) => void;
  readonly error: (text: string) => void;
  /** Resolves when everything is to stop. */
  readonly ended: Promise<unknown>;
}

interface Options {
  readonly host: string;
  readonly project: string;
  readonly storagePort: number;
  readonly tasksPort: number;
  readonly secretsPort: number;
  readonly certsPort: number;
  readonly metadataPorts: Readonly<Record<string, number>>;
}

/** What is running, as it is printed: `host:port` of the gRPC services and of each app's metadata server, URLs of the others. */
export interface GoogleFakesReady {
  readonly project: string;
  readonly storage: string;
  readonly tasks: string;
  readonly secrets: string;
  readonly certs: string;
  readonly metadata: Readonly<Record<string, string>>;
}

const apps = ['ingress', 'dispatcher', 'agent-host', 'scheduler', 'console'];

/**
 * Runs what Google has no emulator for, until it is ended: Cloud Tasks, Secret Manager, Cloud Storage, and a metadata server for each app. Prints {@link GoogleFakesReady} as one
 * line of JSON once all of it listens. Resolves with the exit code: 1 when the arguments are wrong or a port is taken.
 */
export async function runGoogleFakes(argv: readonly string[], io: GoogleFakesIo): Promise<number> {
  const program = new Command('google')
    .description('Stand-ins for the services of Google Cloud that have no emulator. What they hold is in memory, and gone when they stop.')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--project <id>', 'the project that everything belongs to', 'rockpool-local')
    .option('--storage-port <port>', 'Cloud Storage (0: a free one, here and below)', port, 0)
    .option('--tasks-port <port>', 'Cloud Tasks', port, 0)
    .option('--secrets-port <port>', 'Secret Manager', port, 0)
    .option('--certs-port <port>', "the issuer's public keys", port, 0)
    .option(
      '--metadata-ports <app=port,…>',
      'a metadata server for each of these apps',
      metadataPorts,
      Object.fromEntries(apps.map((app) => [app, 0])),
    )
    .configureOutput({ writeOut: io.output, writeErr: io.error })
    .exitOverride();
  try {
    program.parse([...argv], { from: 'user' });
  } catch (error) {
    // Told by commander already.
    return (error as { exitCode?: number }).exitCode ?? 1;
  }
  return serve(program.opts<Options>(), io);
}

async function serve(options: Options, { output, error: tell, ended }: GoogleFakesIo): Promise<number> {
  const { host, project, metadataPorts: ports } = options;
  const closers: (() => Promise<void>)[] = [];
  const opened = <Fake extends { stop(): Promise<void> }>(fake: Fake): Fake => {
    closers.push(() => fake.stop());
    return fake;
  };
  const accountOf = (app: string): string => `${app}@${project}.iam.gserviceaccount.com`;
  try {
    const metadata = opened(
      await startMetadataServer({
        projectId: project,
        accounts: Object.keys(ports).map(accountOf),
        ports: Object.values(ports),
        certsPort: options.certsPort,
        host,
      }),
    );
    const storage = opened(await startStorageFake({ host, port: options.storagePort }));
    const tasks = opened(await startCloudTasksFake({ host, port: options.tasksPort, mint: metadata.mint }));
    const secrets = opened(await startSecretManagerFake({ host, port: options.secretsPort }));
    const ready: GoogleFakesReady = {
      project,
      storage: storage.url,
      tasks: tasks.host,
      secrets: secrets.host,
      certs: metadata.certsUrl,
      metadata: Object.fromEntries(Object.keys(ports).map((app) => [app, metadata.hosts[accountOf(app)]!])),
    };
    output(`${JSON.stringify(ready)}\n`);
    await ended;
    return 0;
  } catch (error) {
    tell(`${(error as Error).message}\n`);
    return 1;
  } finally {
    await Promise.all(closers.map((close) => close()));
  }
}

function port(text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(value <= 65_535)) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return value;
}

function metadataPorts(text: string): Record<string, number> {
  const entries = text.split(',').map((entry) => {
    const [, app, value] = /^([a-z][a-z0-9-]*)=(\d+)$/.exec(entry) ?? [];
    if (app === undefined) throw new InvalidArgumentError('Expected app=port, separated by commas.');
    return [app, port(value!)] as const;
  });
  return Object.fromEntries(entries);
}
