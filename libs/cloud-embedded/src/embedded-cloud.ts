import type { Cloud, IndexDeclaration, QueueSpec } from '@rockpool/cloud';
import type { SubscriptionSpec } from '@rockpool/contracts';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { DataFolder } from './data-folder.js';
import { EncryptedSecrets } from './encrypted-secrets.js';
import { FileBlobs } from './file-blobs.js';
import { LocalIdentity } from './local-identity.js';
import { SqliteDocuments } from './sqlite-documents.js';
import { SqliteMessageBus } from './sqlite-message-bus.js';
import { SqliteTasks } from './sqlite-tasks.js';

const upkeepEveryMs = 60_000;

/** Looking for files without a key reads the whole folder of blobs: once an hour. */
const runsPerBlobSweep = 60;

/** With less than this the operator is told; SQLite itself goes on to the last byte. */
const scarceDiskBytes = 100 * 2 ** 20;

/** A write that failed is shown for so long, whatever went well since. */
const faultShownMs = 3_000;

export interface EmbeddedCloudOptions {
  /** Made when absent. One process at a time. */
  readonly dataDir: string;
  /** The master key of the secrets; made when absent. Outside the data folder. The keys that sign tokens are kept next to it. */
  readonly keyFile: string;
  /** Where this process answers, for signed URLs. Asked for when one is made: a port may be known only after listening. */
  readonly baseUrl: () => string;
  /** Every subscription that exists: what is published before anybody subscribes waits for it. */
  readonly subscriptions: readonly SubscriptionSpec[];
  readonly indexes: readonly IndexDeclaration[];
  readonly queues: readonly QueueSpec[];
  /** Resolves with where this process answers, once it does: tasks are delivered from then on. Default: at once, each to where it says. */
  readonly ownUrl?: Promise<string>;
}

/** The embedded engine, with what its drivers offer beyond their ports. */
export interface EmbeddedCloud extends Cloud {
  readonly bus: SqliteMessageBus;
  readonly documents: SqliteDocuments;
  readonly tasks: SqliteTasks;
  readonly blobs: FileBlobs;
  readonly secrets: EncryptedSecrets;
  readonly identity: LocalIdentity;
}

/**
 * Opens the engine over a data folder. Nothing but the master key is needed beside that folder, and after a crash at any moment all that
 * was accepted is there. Rejects with `unavailable` when another process holds the folder, with the process to look for.
 */
export async function openEmbeddedCloud(options: EmbeddedCloudOptions): Promise<EmbeddedCloud> {
  const folder = await DataFolder.open(options.dataDir);
  try {
    return await openOver(folder, options);
  } catch (error) {
    await folder.close();
    throw error;
  }
}

async function openOver(folder: DataFolder, options: EmbeddedCloudOptions): Promise<EmbeddedCloud> {
  const { database } = folder;
  const documents = new SqliteDocuments(database, options.indexes);
  const secrets = await EncryptedSecrets.open(database, { keyFile: options.keyFile, dataFolder: folder.path });
  const identity = await LocalIdentity.open({ keysFile: `${options.keyFile}.identity.json` });
  const blobs = await FileBlobs.open(database, { folder: join(folder.path, 'blobs'), secrets, baseUrl: options.baseUrl });
  const bus = await SqliteMessageBus.open(database, options.subscriptions);
  const tasks = await SqliteTasks.open(database, identity, { queues: options.queues, ...(options.ownUrl && { ownUrl: options.ownUrl }) });
  const upkeep = new Upkeep(documents, blobs);
  let closing: Promise<void> | undefined;

  async function close(drainMs: number | undefined): Promise<void> {
    const drained = await Promise.allSettled([bus.close(drainMs), tasks.close(drainMs)]);
    upkeep.close();
    documents.close();
    await folder.close();
    for (const result of drained) if (result.status === 'rejected') throw result.reason;
  }

  return {
    bus,
    documents,
    tasks,
    blobs,
    secrets,
    identity,
    async check() {
      if (closing !== undefined) return 'the engine is closed';
      try {
        await database.probe();
      } catch (error) {
        return (error as Error).message;
      }
      const fault = database.faultWithin(faultShownMs);
      if (fault) return fault.message;
      const { bavail, bsize } = await statfs(folder.path);
      const freeBytes = bavail * bsize;
      if (freeBytes < scarceDiskBytes)
        return `only ${Math.floor(freeBytes / 2 ** 20)} MiB are free on the disk of ${folder.path}; make room`;
      return upkeep.fault;
    },
    close: (drainMs) => (closing ??= close(drainMs)),
  };
}

/** Removes, now and then, what nobody can see any more: expired documents, and files that a crash has left without a key. */
class Upkeep {
  /** What was in the way last time. */
  fault: string | undefined;
  readonly #timer: NodeJS.Timeout;
  #isRunning = false;
  #runs = 0;

  constructor(
    private readonly documents: SqliteDocuments,
    private readonly blobs: FileBlobs,
  ) {
    this.#timer = setInterval(() => void this.#run(), upkeepEveryMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      await this.documents.sweepExpired();
      if (this.#runs++ % runsPerBlobSweep === 0) await this.blobs.sweep();
      this.fault = undefined;
    } catch (error) {
      this.fault = `the upkeep of the data folder failed: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      this.#isRunning = false;
    }
  }
}
