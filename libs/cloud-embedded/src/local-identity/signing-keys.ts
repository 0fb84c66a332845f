import { RockpoolError } from '@rockpool/contracts';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type CryptoKey, type JWK } from 'jose';
import { createPrivateFile, readPrivateFile, replacePrivateFile } from '../private-file.js';

interface StoredKeys {
  signing: { createdAt: number; jwk: JWK };
  /** Public parts of earlier keys, until their last token has expired. */
  retired: { until: number; jwk: JWK }[];
}

interface SigningKey {
  /** RFC 7638 thumbprint of the public key, the `kid` of its tokens. */
  readonly id: string;
  readonly createdAt: number;
  readonly privateKey: CryptoKey;
}

interface PublicKey {
  readonly jwk: JWK;
  readonly key: CryptoKey;
  readonly until: number;
}

/** The keys of the local issuer: one that signs, and the public parts of those that signed before. Kept in one private file. */
export class SigningKeys {
  readonly #file: string;
  #stored: StoredKeys;
  #signing!: SigningKey;
  #public = new Map<string, PublicKey>();
  #rotation: Promise<void> | undefined;

  private constructor(file: string, stored: StoredKeys) {
    this.#file = file;
    this.#stored = stored;
  }

  static async open(file: string, now: number): Promise<SigningKeys> {
    let text = await readPrivateFile(file);
    if (text === undefined) {
      await createPrivateFile(file, serialise({ signing: await generated(now), retired: [] }));
      text = (await readPrivateFile(file)) ?? '';
    }
    try {
      const keys = new SigningKeys(file, JSON.parse(text) as StoredKeys);
      await keys.#load();
      return keys;
    } catch {
      // Neither the text nor the error is passed on: both may quote half a key.
      throw new RockpoolError('unavailable', `the signing keys in ${file} are damaged; remove the file to have new ones made`);
    }
  }

  get signing(): SigningKey {
    return this.#signing;
  }

  /** The public key with this id, unless it is retired for good. */
  verifying(id: string, now: number): CryptoKey | undefined {
    const found = this.#public.get(id);
    return found !== undefined && found.until > now ? found.key : undefined;
  }

  published(now: number): JWK[] {
    return [...this.#public.values()].filter(({ until }) => until > now).map(({ jwk }) => jwk);
  }

  /** Two rotations at once are one. */
  async rotate(now: number, retireAt: number): Promise<void> {
    this.#rotation ??= this.#rotate(now, retireAt).finally(() => (this.#rotation = undefined));
    await this.#rotation;
  }

  async #rotate(now: number, retireAt: number): Promise<void> {
    const { signing, retired } = this.#stored;
    const next: StoredKeys = {
      signing: await generated(now),
      retired: [...retired.filter(({ until }) => until > now), { until: retireAt, jwk: publicPart(signing.jwk) }],
    };
    // On disk first: a token must never be signed by a key that a crash would lose.
    await replacePrivateFile(this.#file, serialise(next));
    this.#stored = next;
    await this.#load();
  }

  async #load(): Promise<void> {
    const { signing, retired } = this.#stored;
    const keys = new Map<string, PublicKey>();
    for (const { jwk, until } of [{ jwk: publicPart(signing.jwk), until: Infinity }, ...retired]) {
      const id = await calculateJwkThumbprint(jwk);
      keys.set(id, { jwk: { ...jwk, kid: id, alg: 'ES256', use: 'sig' }, key: await imported(jwk), until });
    }
    const privateKey = await imported(signing.jwk);
    this.#public = keys;
    this.#signing = { id: await calculateJwkThumbprint(signing.jwk), createdAt: signing.createdAt, privateKey };
  }
}

async function generated(now: number): Promise<StoredKeys['signing']> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { createdAt: now, jwk: await exportJWK(privateKey) };
}

async function imported(jwk: JWK): Promise<CryptoKey> {
  return (await importJWK(jwk, 'ES256')) as CryptoKey;
}

function publicPart({ kty, crv, x, y }: JWK): JWK {
  return { kty, crv, x, y } as JWK;
}

function serialise(keys: StoredKeys): string {
  return `${JSON.stringify(keys, null, 2)}\n`;
}
