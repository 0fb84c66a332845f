import {
  Documents,
  Tasks,
  type Document,
  type Page,
  type Query,
  type Snapshot,
  type TaskRequest,
  type Transaction,
  type WriteOptions,
} from '@rockpool/cloud';

const never = new Promise<never>(() => undefined);

/** The life of a process that a test ends. What it still calls is never answered, as it would not be after a kill. */
export class Life {
  #alive = true;
  readonly #died = Promise.withResolvers<void>();

  constructor(readonly name: string) {}

  get alive(): boolean {
    return this.#alive;
  }

  get died(): Promise<void> {
    return this.#died.promise;
  }

  end(): void {
    this.#alive = false;
    this.#died.resolve();
  }

  /** Runs it while the process lives. What is under way when it dies happens or does not, and nobody in the process learns which. */
  async guard<Result>(work: () => Promise<Result>): Promise<Result> {
    if (!this.#alive) return never;
    try {
      const result = await work();
      return this.#alive ? result : await never;
    } catch (error) {
      if (this.#alive) throw error;
      return never;
    }
  }
}

/** Documents as a mortal process sees them. */
export class MortalDocuments extends Documents {
  constructor(
    private readonly documents: Documents,
    private readonly life: Life,
  ) {
    super();
  }

  get<Data>(path: string): Promise<Document<Data> | undefined> {
    return this.life.guard(() => this.documents.get<Data>(path));
  }
  create(path: string, data: object, options?: WriteOptions): Promise<string> {
    return this.life.guard(() => this.documents.create(path, data, options));
  }
  set(path: string, data: object, options?: WriteOptions): Promise<string> {
    return this.life.guard(() => this.documents.set(path, data, options));
  }
  update(path: string, data: object, ifVersion: string, options?: WriteOptions): Promise<string> {
    return this.life.guard(() => this.documents.update(path, data, ifVersion, options));
  }
  delete(path: string, ifVersion?: string): Promise<void> {
    return this.life.guard(() => this.documents.delete(path, ifVersion));
  }
  query<Data>(query: Query): Promise<Page<Data>> {
    return this.life.guard(() => this.documents.query<Data>(query));
  }
  transaction<Result>(run: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    return this.life.guard(() => this.documents.transaction(run));
  }
  watch<Data>(query: Query, listener: (snapshot: Snapshot<Data>) => void): Promise<() => void> {
    return this.life.guard(() => this.documents.watch<Data>(query, (snapshot) => this.life.alive && listener(snapshot)));
  }
}

/** Tasks as a mortal process sees them. */
export class MortalTasks extends Tasks {
  constructor(
    private readonly tasks: Tasks,
    private readonly life: Life,
  ) {
    super();
  }

  create(task: TaskRequest): Promise<string> {
    return this.life.guard(() => this.tasks.create(task));
  }
  cancel(queue: string, name: string): Promise<boolean> {
    return this.life.guard(() => this.tasks.cancel(queue, name));
  }
  stats(queue: string) {
    return this.life.guard(() => this.tasks.stats(queue));
  }
  close(drainMs?: number): Promise<void> {
    return this.tasks.close(drainMs);
  }
}
