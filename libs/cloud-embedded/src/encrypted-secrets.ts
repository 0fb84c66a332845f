import { checkedSecretValue, refuseBadSecretName, secretLabel, Secrets, type SecretName, type SecretVersion } from '@rockpool/cloud';
import { NotFound, RockpoolError } from '@rockpool/contracts';
import { timingSafeEqual } from 'node:crypto';
import type { Database } from './database.js';
import { newKey, open, seal, type Sealed } from './encrypted-secrets/cipher.js';
import { MasterKeys } from './encrypted-secrets/master-keys.js';

const schema = `
  CREATE TABLE IF NOT EXISTS secret_keys (
    tenant TEXT PRIMARY KEY,
    master_key TEXT NOT NULL,
    nonce BLOB NOT NULL,
    ciphertext BLOB NOT NULL
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE IF NOT EXISTS secrets (
    tenant TEXT NOT NULL,
    field TEXT NOT NULL,
    version INTEGER NOT NULL,
    enabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    nonce BLOB NOT NULL,
    ciphertext BLOB NOT NULL,
    PRIMARY KEY (tenant, field, version)
  ) WITHOUT ROWID, STRICT;
`;

export interface EncryptedSecretsOptions {
  /** The master keys, mode 0600, made when absent. Whoever has this file and the database has every secret: back them up apart. */
  keyFile: string;
  /** The key file is refused inside it. Default: the folder of the database file. */
  dataFolder?: string;
  /** Milliseconds since the epoch. Default: the system's clock. */
  now?: () => number;
}

interface SecretRow extends Sealed {
  field: string;
  version: number;
  enabled: number;
  created_at: number;
}

interface KeyRow extends Sealed {
  tenant: string;
  master_key: string;
}

/**
 * Secrets in the database, AES-256-GCM. Each tenant has a data key, wrapped by a master key that is kept in a file outside the data folder, so that a copy
 * of the data folder alone discloses nothing. Additional authenticated data is the purpose, the tenant, the field and the version: a ciphertext that is
 * moved to another row does not decrypt. A tenant's data key goes with its last secret, so what was deleted stays unreadable in old pages and backups of the table.
 */
export class EncryptedSecrets extends Secrets {
  readonly #database: Database;
  readonly #masterKeys: MasterKeys;
  readonly #now: () => number;
  #rotation: Promise<void> | undefined;

  private constructor(database: Database, masterKeys: MasterKeys, now: () => number) {
    super();
    this.#database = database;
    this.#masterKeys = masterKeys;
    this.#now = now;
  }

  /**
   * Rejects with `invalid` when the key file lies in the data folder or others may read it, and with `unavailable` when it is missing or is another one while the
   * database holds secrets: then nothing is made or changed, and putting the right file back is all it takes.
   */
  static async open(database: Database, options: EncryptedSecretsOptions): Promise<EncryptedSecrets> {
    database.define(schema);
    const needed = database.read((db) =>
      db
        .prepare('SELECT DISTINCT master_key FROM secret_keys')
        .all()
        .map((row) => String(row['master_key'])),
    );
    const dataFile = database.read((db) => db.location());
    const masterKeys = await MasterKeys.open({ file: options.keyFile, dataFolder: options.dataFolder, dataFile, needed });
    const secrets = new EncryptedSecrets(database, masterKeys, options.now ?? Date.now);
    if (masterKeys.rotating) await secrets.#finishRotation();
    return secrets;
  }

  async put(name: SecretName, value: string): Promise<number> {
    refuseBadSecretName(name);
    const plain = checkedSecretValue(name, value);
    return this.#database.write(() => {
      const [current] = this.#rows(name, 'enabled = 1', 1);
      if (current !== undefined && sameBytes(this.#decrypt(name, current), plain)) return current.version;
      const [last] = this.#rows(name, 'TRUE', 1);
      const version = (last?.version ?? 0) + 1;
      const { nonce, ciphertext } = seal(this.#dataKey(name.tenant) ?? this.#newDataKey(name.tenant), plain, secretContext(name, version));
      this.#database
        .prepare('INSERT INTO secrets (tenant, field, version, enabled, created_at, nonce, ciphertext) VALUES (?, ?, ?, 1, ?, ?, ?)')
        .run(name.tenant, name.field, version, this.#now(), nonce, ciphertext);
      return version;
    });
  }

  async get(name: SecretName, version?: number): Promise<string> {
    refuseBadSecretName(name);
    return this.#database.read(() => {
      const rows = version === undefined ? this.#rows(name, 'enabled = 1', 1) : this.#rows(name, 'enabled = 1 AND version = ?', 1, version);
      if (rows[0] === undefined)
        throw new NotFound(`there is no ${version === undefined ? '' : `version ${version} of `}${secretLabel(name)}`);
      return this.#decrypt(name, rows[0]).toString();
    });
  }

  async getAll(name: SecretName): Promise<string[]> {
    refuseBadSecretName(name);
    return this.#database.read(() => this.#rows(name, 'enabled = 1').map((row) => this.#decrypt(name, row).toString()));
  }

  async versions(name: SecretName): Promise<SecretVersion[]> {
    refuseBadSecretName(name);
    return this.#database.read(() =>
      this.#rows(name, 'TRUE').map((row) => ({
        version: row.version,
        createdAt: new Date(row.created_at),
        state: row.enabled === 1 ? ('enabled' as const) : ('disabled' as const),
      })),
    );
  }

  async disable(name: SecretName, version: number): Promise<void> {
    refuseBadSecretName(name);
    await this.#database.write(() => {
      const statement = this.#database.prepare('UPDATE secrets SET enabled = 0 WHERE tenant = ? AND field = ? AND version = ?');
      if (statement.run(name.tenant, name.field, version).changes === 0)
        throw new NotFound(`there is no version ${version} of ${secretLabel(name)}`);
    });
  }

  async delete(name: SecretName): Promise<void> {
    refuseBadSecretName(name);
    await this.#database.write(() => {
      this.#database.prepare('DELETE FROM secrets WHERE tenant = ? AND field = ?').run(name.tenant, name.field);
      this.#database
        .prepare('DELETE FROM secret_keys WHERE tenant = ?1 AND NOT EXISTS (SELECT 1 FROM secrets WHERE tenant = ?1)')
        .run(name.tenant);
    });
  }

  async list(tenant: string): Promise<string[]> {
    refuseBadSecretName({ tenant, field: 'any' });
    return this.#database.read(() =>
      this.#database
        .prepare('SELECT DISTINCT field FROM secrets WHERE tenant = ? ORDER BY field')
        .all(tenant)
        .map((row) => String(row['field'])),
    );
  }

  /** The names of all secrets, by tenant and field. Values are not read. */
  async names(): Promise<SecretName[]> {
    return this.#database.read(() =>
      this.#database
        .prepare('SELECT DISTINCT tenant, field FROM secrets ORDER BY tenant, field')
        .all()
        .map((row) => ({ tenant: String(row['tenant']), field: String(row['field']) })),
    );
  }

  /**
   * Makes a new master key and wraps every tenant's data key with it. The old one is removed from the key file afterwards, so keep an old copy of the file for as
   * long as old backups of the database. A crash in between is finished at the next open. Two rotations at once are one.
   */
  async rotateMasterKey(): Promise<void> {
    this.#rotation ??= this.#rotate().finally(() => (this.#rotation = undefined));
    await this.#rotation;
  }

  async #rotate(): Promise<void> {
    await this.#masterKeys.add();
    await this.#finishRotation();
  }

  async #finishRotation(): Promise<void> {
    await this.#database.write(() => {
      const rows = this.#database.prepare('SELECT * FROM secret_keys').all() as unknown as KeyRow[];
      for (const row of rows) this.#storeDataKey(row.tenant, this.#unwrap(row));
    });
    await this.#masterKeys.keepOnlyCurrent();
  }

  /** Newest first. */
  #rows(name: SecretName, condition: string, limit = -1, ...parameters: number[]): SecretRow[] {
    const sql = `SELECT * FROM secrets WHERE tenant = ? AND field = ? AND ${condition} ORDER BY version DESC LIMIT ?`;
    return this.#database.prepare(sql).all(name.tenant, name.field, ...parameters, limit) as unknown as SecretRow[];
  }

  #decrypt(name: SecretName, row: SecretRow): Buffer {
    const key = this.#dataKey(name.tenant);
    const plain = key && open(key, row, secretContext(name, row.version));
    if (plain !== undefined) return plain;
    throw new RockpoolError(
      'internal',
      `version ${row.version} of ${secretLabel(name)} was altered in the database; delete it and store it again`,
    );
  }

  #dataKey(tenant: string): Buffer | undefined {
    const row = this.#database.prepare('SELECT * FROM secret_keys WHERE tenant = ?').get(tenant) as unknown as KeyRow | undefined;
    return row && this.#unwrap(row);
  }

  #unwrap(row: KeyRow): Buffer {
    const masterKey = this.#masterKeys.get(row.master_key);
    const key = masterKey && open(masterKey, row, keyContext(row.tenant, row.master_key));
    if (key !== undefined) return key;
    throw new RockpoolError('internal', `the data key of tenant ${row.tenant} was altered in the database; restore it from a backup`);
  }

  #newDataKey(tenant: string): Buffer {
    const key = newKey();
    this.#storeDataKey(tenant, key);
    return key;
  }

  #storeDataKey(tenant: string, key: Buffer): void {
    const { id, key: masterKey } = this.#masterKeys.current;
    const { nonce, ciphertext } = seal(masterKey, key, keyContext(tenant, id));
    this.#database
      .prepare('INSERT OR REPLACE INTO secret_keys (tenant, master_key, nonce, ciphertext) VALUES (?, ?, ?, ?)')
      .run(tenant, id, nonce, ciphertext);
  }
}

function secretContext({ tenant, field }: SecretName, version: number): string[] {
  return ['rockpool secret v1', tenant, field, String(version)];
}

function keyContext(tenant: string, masterKey: string): string[] {
  return ['rockpool data key v1', tenant, masterKey];
}

function sameBytes(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
