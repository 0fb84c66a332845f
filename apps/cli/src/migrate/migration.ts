import type { Cloud, SecretName } from '@rockpool/cloud';
import type { StoppedEngine } from '@rockpool/cloud-embedded';
import { codeOf, isTerminal } from '@rockpool/contracts';
import { carried, stages, type StageName } from './carried.js';
import { compareCollection } from './compare-documents.js';
import type { Difference } from './comparison.js';
import { migrationFile, newMigration, readMigration, writeMigration, type MigrationState } from './migration-record.js';
import { enabledValues, movedSecrets, nameOf } from './moved-secrets.js';
import { inParallel, patiently } from './patience.js';

const documentsAtOnce = 16;
const documentPage = 100;
const secretsAtOnce = 8;
const secretBatch = 32;
const blobsAtOnce = 4;
const blobPage = 32;
/** Reasons that are kept. */
const problemsKept = 100;

/** Blobs and secrets first: documents speak of them. */
const steps = ['blobs', 'secrets', 'history', 'tenants', 'work'] as const;

export type MigrationStep = (typeof steps)[number];

/** What two ends a migration has, and who follows it. */
export interface MigrationNeeds {
  readonly source: StoppedEngine;
  readonly target: Cloud;
  readonly dataDir: string;
  /** The target in words that tell it from others. */
  readonly targetName: string;
  /** The target has tenants of its own, which stay. */
  readonly merge: boolean;
  /** Ends it between two batches. */
  readonly signal: AbortSignal;
  /** Told after each batch: how many of the step are through since the start of this process. */
  readonly onProgress: (step: MigrationStep, through: number) => void;
}

/**
 * Copies a stopped engine into another. Nothing in the target is ever replaced: what is there already is left, and comparing afterwards shows whether it is the same. So
 * everything can be done twice, and a process that died may have done more than it recorded.
 */
export class Migration {
  /** What the target would not take, and why: the first of it. It is missing there. */
  readonly problems: string[] = [];

  /** Read once: each batch looks through them. */
  #secretNames: Promise<SecretName[]> | undefined;

  private constructor(
    private readonly needs: MigrationNeeds,
    private readonly state: MigrationState,
  ) {}

  /** Finds the migration of this folder, or prepares one. Nothing is written yet. */
  static async of(needs: MigrationNeeds): Promise<Migration> {
    return new Migration(needs, (await readMigration(needs.dataDir)) ?? newMigration(needs.targetName));
  }

  /** Everything was there once. */
  get isComplete(): boolean {
    return this.state.movedAt !== undefined;
  }

  /** Why it cannot go there; `undefined` when it can. A folder has one target, tenants there must be ours unless merging was asked for, and none may be another of the same name. */
  async refusal(): Promise<string | undefined> {
    const { source, target, dataDir, merge, targetName, signal } = this.needs;
    if (this.state.target !== targetName) {
      return `this folder is on its way to ${this.state.target}, not to ${targetName}: name that one, or remove ${migrationFile(dataDir)} to begin anew`;
    }
    const isKnown = await this.#isKnownToTarget();
    const { differences } = await compareCollection('tenants', source, target.documents, signal);
    const found = (sort: Difference['what']) => differences.filter(({ what }) => what === sort).map(({ path }) => path);
    const namesakes = isKnown ? [] : found('different');
    // Whoever they are, one must not be given what was said to the other.
    if (namesakes.length > 0) return `${targetName} has other tenants of the same name (${some(namesakes)}): choose an empty target`;
    if (merge) return undefined;
    const strangers = isKnown ? found('extra') : await this.#tenantsOfTarget();
    if (strangers.length === 0) return undefined;
    return `${targetName} has tenants that this folder did not bring (${some(strangers)}): choose an empty target, or say --merge to keep them beside those of this folder`;
  }

  /**
   * Copies what is not there yet, and keeps record of how far it is. Rejects with the signal's reason once that aborts; begun again, it goes on. After it was
   * {@link complete} it copies nothing: what is missing over there has been deleted there.
   */
  async copy(): Promise<void> {
    const { target, dataDir, signal } = this.needs;
    if (!(await this.#isKnownToTarget())) {
      // Whatever was recorded went somewhere else, or that was emptied since.
      Object.assign(this.state, { positions: {}, done: [] });
      delete this.state.movedAt;
      await writeMigration(dataDir, this.state);
      const { id, startedAt } = this.state;
      await patiently(signal, () => target.documents.set(`migrations/${id}`, { startedAt }));
    }
    for (const step of steps) {
      if (this.state.done.includes(step)) continue;
      await this.#step(step);
      this.state.done.push(step);
      await writeMigration(dataDir, this.state);
    }
  }

  /** Has the next run copy what is missing then, unless everything was there once: comparing has found differences. */
  async reopen(): Promise<void> {
    if (this.isComplete) return;
    Object.assign(this.state, { positions: {}, done: [] });
    await writeMigration(this.needs.dataDir, this.state);
  }

  /** Puts on record, in both places, that everything is there. */
  async complete(): Promise<void> {
    const { target, dataDir, signal } = this.needs;
    const { id, startedAt } = this.state;
    const movedAt = (this.state.movedAt ??= new Date().toISOString());
    await patiently(signal, () => target.documents.set(`migrations/${id}`, { startedAt, movedAt }));
    await writeMigration(dataDir, this.state);
  }

  async #isKnownToTarget(): Promise<boolean> {
    const { target, signal } = this.needs;
    return (await patiently(signal, () => target.documents.get(`migrations/${this.state.id}`))) !== undefined;
  }

  async #tenantsOfTarget(): Promise<string[]> {
    const { target, signal } = this.needs;
    const page = await patiently(signal, () => target.documents.query({ from: { collection: 'tenants' }, limit: 4 }));
    return page.items.map(({ path }) => path);
  }

  async #step(step: MigrationStep): Promise<void> {
    const { signal, dataDir, onProgress } = this.needs;
    let through = 0;
    for (;;) {
      signal.throwIfAborted();
      const { count, position } = await this.#batch(step, this.state.positions[step]);
      onProgress(step, (through += count));
      if (position === undefined) return;
      this.state.positions[step] = position;
      await writeMigration(dataDir, this.state);
    }
  }

  /** Copies what follows `after`. Resolves with where to go on; without it after the last. */
  #batch(step: MigrationStep, after: string | undefined): Promise<{ count: number; position: string | undefined }> {
    if (step === 'blobs') return this.#blobs(after);
    if (step === 'secrets') return this.#secrets(after);
    return this.#documents(step, after);
  }

  async #documents(stage: StageName, after: string | undefined) {
    const { source, target, signal } = this.needs;
    const page = source.documents({ ...stages[stage], limit: documentPage, ...(after !== undefined && { after }) });
    await inParallel(page.map(carried), documentsAtOnce, ({ path, data, expireAt }) =>
      patiently(signal, () =>
        // What is there is ours from before, or is compared and shown later.
        target.documents.create(path, data, expireAt && { expireAt }).then(nothing, unless('already_exists')),
      ).catch((error: unknown) => this.#note(path, error)),
    );
    return { count: page.length, position: page.at(-1)?.path };
  }

  async #secrets(after: string | undefined) {
    const { source, target, signal } = this.needs;
    this.#secretNames ??= movedSecrets(source);
    const names = (await this.#secretNames).filter(({ tenant, field }) => after === undefined || nameOf({ tenant, field }) > after);
    const batch = names.slice(0, secretBatch);
    await inParallel(batch, secretsAtOnce, (name) =>
      patiently(signal, async () => {
        // Oldest first: whatever is accepted while a secret is being rotated, is accepted over there.
        const values = (await enabledValues(source.secrets, name)).reverse();
        const present = (await enabledValues(target.secrets, name)).reverse();
        // One that continues what was begun, or is not there at all; anything else is somebody else's, and is compared and shown later.
        if (!present.every((value, index) => value === values[index])) return;
        for (const value of values.slice(present.length)) await target.secrets.put(name, value);
      }).catch((error: unknown) => this.#note(`secret://${nameOf(name)}`, error)),
    );
    const last = batch.at(-1);
    return { count: batch.length, position: last && nameOf(last) };
  }

  async #blobs(cursor: string | undefined) {
    const { source, target, signal } = this.needs;
    const page = await source.blobs.list('', { limit: blobPage, ...(cursor !== undefined && { cursor }) });
    await inParallel(page.items, blobsAtOnce, ({ key, contentType }) =>
      patiently(signal, async () => {
        if ((await target.blobs.head(key)) !== undefined) return;
        const { content } = await source.blobs.get(key);
        try {
          await target.blobs.put(key, content, { contentType, ifGeneration: '0' }).then(nothing, unless('conflict'));
        } finally {
          content.destroy();
        }
      }).catch((error: unknown) => this.#note(key, error)),
    );
    return { count: page.items.length, position: page.nextCursor };
  }

  /** What can never succeed is left out, and comparing shows that it is missing; everything else ends the migration until it is started again. */
  #note(path: string, error: unknown): void {
    if (!isTerminal(error)) throw error;
    if (this.problems.length < problemsKept) this.problems.push(`${path}: ${(error as Error).message}`);
  }
}

const nothing = () => undefined;

const some = (paths: readonly string[]): string => `${paths.slice(0, 3).join(', ')}${paths.length > 3 ? ' …' : ''}`;

/** For a rejection that is no failure: what was to be made is there already. */
function unless(code: 'already_exists' | 'conflict'): (error: unknown) => undefined {
  return (error) => {
    if (codeOf(error) !== code) throw error;
  };
}
