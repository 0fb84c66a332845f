import type { Blobs, DeadLetter, Secrets } from '@rockpool/cloud';
import { join } from 'node:path';
import { MessageStore } from './bus/message-store.js';
import { DataFolder } from './data-folder.js';
import { DocumentScan, type ScannedDocument, type ScanOptions } from './documents/document-scan.js';
import { EncryptedSecrets } from './encrypted-secrets.js';
import { FileBlobs } from './file-blobs.js';
import { TaskStore } from './sqlite-tasks/task-store.js';

/** Dead letters that are shown of each subscription at most. */
const deadLettersShown = 20;

/** What was left to do when the engine stopped. */
export interface Standing {
  /** By subscription; `letters` are the oldest of its dead letters. */
  readonly messages: readonly { subscription: string; waiting: number; deadLetters: number; letters: readonly DeadLetter[] }[];
  /** By queue: tasks that were under way or are due, and those whose time comes later. */
  readonly tasks: readonly { queue: string; due: number; later: number }[];
}

/**
 * A data folder that is held, so that no instance can run on it, and only read: nothing is delivered, swept or begun. What is there stays as it is.
 */
export class StoppedEngine {
  private constructor(
    private readonly folder: DataFolder,
    private readonly scan: DocumentScan,
    private readonly secretStore: EncryptedSecrets,
    readonly blobs: Blobs,
  ) {}

  /** Rejects with `unavailable` when a process holds the folder, naming it, and when the key file is not the one the secrets were stored with. */
  static async open({ dataDir, keyFile }: { dataDir: string; keyFile: string }): Promise<StoppedEngine> {
    const folder = await DataFolder.open(dataDir);
    try {
      const { database } = folder;
      const secrets = await EncryptedSecrets.open(database, { keyFile, dataFolder: folder.path });
      const blobs = await FileBlobs.open(database, { folder: join(folder.path, 'blobs'), secrets, baseUrl: () => '' });
      return new StoppedEngine(folder, new DocumentScan(database), secrets, blobs);
    } catch (error) {
      await folder.close();
      throw error;
    }
  }

  get secrets(): Pick<Secrets, 'getAll'> {
    return this.secretStore;
  }

  /** The names of all secrets, by tenant and field. */
  secretNames(): ReturnType<EncryptedSecrets['names']> {
    return this.secretStore.names();
  }

  /** A page of all documents that are not expired, by the path of their collection and by id; empty after the last. At most 4 MiB and one document. */
  documents(options: ScanOptions): ScannedDocument[] {
    return this.scan.page(options);
  }

  /** Paths of the next collections after this one (`''`: the first), in order. */
  collectionsAfter(collection: string, limit: number): string[] {
    return this.scan.collectionsAfter(collection, limit);
  }

  async standing(): Promise<Standing> {
    const { database } = this.folder;
    const store = new MessageStore(database);
    const left = await database.write(() => store.standing());
    const messages = left.map(({ subscription, number, messages: waiting, deadLetters }) => {
      const letters = store.deadLettersAfter(number, 0, deadLettersShown).map(({ letter }) => letter);
      return { subscription, waiting, deadLetters, letters };
    });
    return { messages, tasks: new TaskStore(database).standing(Date.now()) };
  }

  /** Lets go of the folder. */
  close(): Promise<void> {
    return this.folder.close();
  }
}
