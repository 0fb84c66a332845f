import { InvalidInput, RockpoolError } from '@rockpool/contracts';
import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { createPrivateFile, readPrivateFile, replacePrivateFile } from '../private-file.js';
import { newKey } from './cipher.js';

const title = '# Rockpool master keys. Without this file the stored secrets are lost; keep a copy apart from the data.';

interface MasterKey {
  /** Made from the key itself, so that a damaged line is noticed. */
  readonly id: string;
  readonly key: Buffer;
}

/**
 * The keys that wrap the tenants' data keys, one line of base64 each in a private file; the last one is current. There are two only while a rotation is
 * under way.
 */
export class MasterKeys {
  readonly #file: string;
  #keys: MasterKey[];

  private constructor(file: string, keys: MasterKey[]) {
    this.#file = file;
    this.#keys = keys;
  }

  /** `needed` are the ids that existing data keys are wrapped with. */
  static async open(options: {
    file: string;
    dataFolder: string | undefined;
    dataFile: string | null;
    needed: readonly string[];
  }): Promise<MasterKeys> {
    const { file, dataFile, needed } = options;
    const dataFolder = options.dataFolder ?? (dataFile === null ? undefined : dirname(dataFile));
    if (dataFolder !== undefined && (await isInside(file, dataFolder))) {
      throw new InvalidInput(
        `the key file ${file} lies in the data folder ${dataFolder}: whoever copies the data would have the key; keep it elsewhere`,
      );
    }
    let text = await readPrivateFile(file);
    if (text === undefined) {
      if (needed.length > 0) throw missing(`the key file ${file} is missing`);
      await createPrivateFile(file, serialise([masterKey(newKey())]));
      text = (await readPrivateFile(file)) ?? '';
    }
    const keys = parsed(text, file);
    if (needed.some((id) => !keys.some((key) => key.id === id)))
      throw missing(`the key file ${file} is not the one the secrets were encrypted with`);
    return new MasterKeys(file, keys);
  }

  get current(): MasterKey {
    return this.#keys.at(-1)!;
  }

  get rotating(): boolean {
    return this.#keys.length > 1;
  }

  get(id: string): Buffer | undefined {
    return this.#keys.find((key) => key.id === id)?.key;
  }

  /** Adds a key and makes it the current one. */
  async add(): Promise<void> {
    await this.#replace([...this.#keys, masterKey(newKey())]);
  }

  async keepOnlyCurrent(): Promise<void> {
    await this.#replace([this.current]);
  }

  async #replace(keys: MasterKey[]): Promise<void> {
    // On disk first: nothing is ever wrapped with a key that a crash would lose.
    await replacePrivateFile(this.#file, serialise(keys));
    this.#keys = keys;
  }
}

function masterKey(key: Buffer): MasterKey {
  return { id: createHash('sha256').update('rockpool master key id').update(key).digest('hex').slice(0, 16), key };
}

function serialise(keys: readonly MasterKey[]): string {
  return [title, ...keys.map(({ id, key }) => `${id} ${key.toString('base64')}`), ''].join('\n');
}

function parsed(text: string, file: string): MasterKey[] {
  const lines = text.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#'));
  const keys = lines.map((line) => {
    const [id, encoded] = line.split(' ');
    const key = masterKey(Buffer.from(encoded ?? '', 'base64'));
    return key.id === id && key.key.length === 32 ? key : undefined;
  });
  if (keys.length === 0 || keys.includes(undefined)) throw missing(`the key file ${file} is damaged`);
  return keys as MasterKey[];
}

function missing(what: string): RockpoolError {
  return new RockpoolError('unavailable', `${what}; put the right file back. The stored secrets are as they were.`);
}

async function isInside(file: string, folder: string): Promise<boolean> {
  const way = relative(await real(folder), await real(file));
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** The path without symbolic links, also of what does not exist yet. */
async function real(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const parent = dirname(resolve(path));
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === resolve(path)) throw error;
    return join(await real(parent), basename(path));
  }
}
