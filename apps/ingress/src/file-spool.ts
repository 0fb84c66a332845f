import { codeOf, RockpoolError } from '@rockpool/contracts';
import { appendFile, mkdir, open, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { EventSpool, SpoolOutlet } from './event-spool.js';

export interface FileSpoolOptions extends SpoolOutlet {
  /** Made when it is needed, readable by this user only. Best on a disk of its own. */
  readonly folder: string;
  /** More bytes than this are refused. */
  readonly maxBytes: number;
  /** Milliseconds between two attempts to get rid of what waits. */
  readonly retryMs: number;
}

/** Entries are appended here … */
const arriving = 'arriving.jsonl';
/** … and handed on from here, so that the two do not meet. */
const leaving = 'leaving.jsonl';
const refused = 'refused.jsonl';

/** A spool of lines of JSON in files of its own, appended and synced, many at once where many come. A crash while they are handed on repeats some. */
export class FileSpool implements EventSpool {
  #file: FileHandle | undefined;
  #bytes = 0;
  #waiting: { line: Buffer; resolve: () => void; reject: (error: unknown) => void }[] = [];
  /** Writing and changing files take turns. */
  #turn: Promise<unknown> = Promise.resolve();
  #draining: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Lines of the leaving file that are gone already. */
  #handedOn = 0;
  #isEmpty = true;
  #stopped = false;

  private constructor(private readonly options: FileSpoolOptions) {}

  /** Finds what an earlier process left, and begins to hand it on. Without a folder that can be used it opens all the same, and refuses what comes. */
  static async open(options: FileSpoolOptions): Promise<FileSpool> {
    const spool = new FileSpool(options);
    const left = (await spool.#sizeOf(leaving)) + (await spool.#sizeOf(arriving));
    if (left > 0) {
      spool.#bytes = left;
      spool.#fill();
    }
    return spool;
  }

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  async add(entry: string): Promise<void> {
    const line = Buffer.from(`${entry}\n`);
    if (this.#stopped) throw new RockpoolError('unavailable', 'the spool is closed');
    if (this.#bytes + line.byteLength > this.options.maxBytes) throw new RockpoolError('unavailable', 'the spool is full');
    this.#bytes += line.byteLength;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ line, resolve, reject });
    void this.#inTurn(() => this.#write());
    await promise;
    this.#fill();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#draining;
    await this.#inTurn(() => this.#close());
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const run = this.#turn.then(work);
    // Whoever asked for the work hears of its failure; the next in turn does not care.
    this.#turn = run.catch(() => undefined);
    return run;
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** One sync for all that came since the one before. */
  async #write(): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    const lines = Buffer.concat(batch.map(({ line }) => line));
    try {
      this.#file ??= await this.#open();
      await this.#file.appendFile(lines);
      await this.#file.datasync();
      for (const { resolve } of batch) resolve();
    } catch (cause) {
      this.#bytes -= lines.byteLength;
      const error = new RockpoolError('unavailable', `the spool cannot be written: ${(cause as Error).message}`, { cause });
      for (const { reject } of batch) reject(error);
      // What was written of it may be a line cut short; opened anew, the file goes on with a new one. That it cannot even be closed says nothing new.
      await this.#close().catch(() => undefined);
    }
  }

  async #open(): Promise<FileHandle> {
    await mkdir(this.options.folder, { recursive: true, mode: 0o700 });
    const file = await open(this.#path(arriving), 'a', 0o600);
    if ((await file.stat()).size > 0) await file.appendFile('\n');
    const folder = await open(this.options.folder, 'r');
    // The file's name has to be on disk, too.
    await folder.sync().finally(() => folder.close());
    return file;
  }

  #fill(): void {
    if (this.#isEmpty) this.options.onChange('filling');
    this.#isEmpty = false;
    this.#drainIn(0);
  }

  #drainIn(ms: number): void {
    if (this.#stopped || this.#draining || this.#isEmpty) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#draining = this.#drain()
        .then(
          () => 0,
          // Whoever delivers has logged why.
          () => this.options.retryMs,
        )
        .then((againInMs) => {
          this.#draining = undefined;
          this.#drainIn(againInMs);
        });
    }, ms);
    this.#timer.unref();
  }

  /** Resolves when nothing waits; rejects when something could not be handed on. */
  async #drain(): Promise<void> {
    do {
      if ((await this.#sizeOf(leaving)) > 0) await this.#handOn();
    } while (!this.#stopped && (await this.#inTurn(() => this.#rotate())));
  }

  /** Lets what has arrived leave. False when there is nothing, and nothing on its way here. */
  async #rotate(): Promise<boolean> {
    await this.#close();
    if ((await this.#sizeOf(arriving)) > 0) {
      await rename(this.#path(arriving), this.#path(leaving));
      return true;
    }
    if (this.#waiting.length > 0) return true;
    this.#isEmpty = true;
    this.#bytes = 0;
    this.options.onChange('empty');
    return false;
  }

  async #handOn(): Promise<void> {
    const text = await readFile(this.#path(leaving), 'utf8');
    const lines = text.split('\n').filter((line) => line !== '');
    for (const line of lines.slice(this.#handedOn)) {
      if (this.#stopped) throw new RockpoolError('unavailable', 'the spool is closed');
      // A line that was cut short was never confirmed to anybody.
      if (isWhole(line)) await this.#deliver(line);
      this.#handedOn++;
    }
    await rm(this.#path(leaving));
    this.#handedOn = 0;
    this.#bytes = Math.max(0, this.#bytes - Buffer.byteLength(text));
  }

  async #deliver(line: string): Promise<void> {
    try {
      await this.options.deliver(line);
    } catch (error) {
      if (codeOf(error) === 'unavailable') throw error;
      // No later attempt would end otherwise; an operator can look at it here.
      await appendFile(this.#path(refused), `${line}\n`, { mode: 0o600 });
      this.options.onRefused(error);
    }
  }

  #path(name: string): string {
    return join(this.options.folder, name);
  }

  /** 0 for a file that is not there, or that cannot be looked at: what cannot be read cannot be handed on either. */
  async #sizeOf(name: string): Promise<number> {
    return stat(this.#path(name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
}

function isWhole(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
