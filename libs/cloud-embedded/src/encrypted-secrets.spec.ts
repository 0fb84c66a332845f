import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { secretsContract } from '@rockpool/cloud/testing';
import { codeOf } from '@rockpool/contracts';
import { Database } from './database.js';
import { EncryptedSecrets } from './encrypted-secrets.js';

const token = { tenant: 'alice', field: 'telegram-bot-token' };
const value = 'hunter2-hunter2-hunter2';

let folder: string;
let keyFile: string;
let database: Database;
let secrets: EncryptedSecrets;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-secrets-'));
  keyFile = join(folder, 'keys', 'master.key');
  await mkdir(join(folder, 'data'));
  database = Database.open(join(folder, 'data', 'rockpool.db'), { synchronous: 'OFF' });
  secrets = await EncryptedSecrets.open(database, { keyFile });
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

const reopen = (options: object = {}) => EncryptedSecrets.open(database, { keyFile, ...options });
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => new Error('nothing failed'),
    (error: Error) => error,
  );
const sql = (statement: string, ...parameters: (string | number | Uint8Array)[]) =>
  database.write((db) => void db.prepare(statement).run(...parameters));

secretsContract('EncryptedSecrets', async () => ({ secrets, close: async () => undefined }));

describe('what lies in the data folder', () => {
  it('does not show a value, nor the key', async () => {
    await secrets.put(token, value);
    await database.close();
    const [, key] = (await readFile(keyFile, 'utf8')).trim().split('\n').at(-1)!.split(' ');
    for (const file of await readdir(join(folder, 'data'))) {
      const bytes = await readFile(join(folder, 'data', file));
      expect(bytes.includes(value)).toBe(false);
      expect(bytes.includes(Buffer.from(key!, 'base64'))).toBe(false);
    }
  });

  it('survives a restart', async () => {
    await secrets.put(token, value);
    expect(await (await reopen()).get(token)).toBe(value);
  });

  it('keeps no data key of a tenant whose last secret was deleted, so that what was deleted stays unreadable', async () => {
    await secrets.put(token, value);
    await secrets.put({ ...token, field: 'other' }, value);
    const keys = () => database.read((db) => db.prepare('SELECT count(*) AS keys FROM secret_keys').get()!['keys']);
    await secrets.delete(token);
    expect(keys()).toBe(1);
    await secrets.delete({ ...token, field: 'other' });
    expect(keys()).toBe(0);
  });

  it('holds one version after the same value was stored by many at once', async () => {
    expect(await Promise.all(Array.from({ length: 10 }, () => secrets.put(token, value)))).toEqual(Array(10).fill(1));
  });
});

describe('a ciphertext', () => {
  const other = { tenant: 'bob', field: 'telegram-bot-token' };
  const sameTenant = { tenant: 'alice', field: 'slack-bot-token' };

  beforeEach(async () => {
    await secrets.put(token, value);
    await secrets.put(token, 'second-version');
    await secrets.put(sameTenant, 'slack');
    await secrets.put(other, 'bobs');
  });

  const move = (from: [string, string, number], to: [string, string, number]) =>
    sql(
      `UPDATE secrets SET (nonce, ciphertext) = (SELECT nonce, ciphertext FROM secrets WHERE tenant = ? AND field = ? AND version = ?)
       WHERE tenant = ? AND field = ? AND version = ?`,
      ...from,
      ...to,
    );

  const refusesToRead = async (name: typeof token, version: number) => {
    for (const attempt of [secrets.get(name, version), secrets.getAll(name)]) {
      const error = await failure(attempt);
      expect(error.message).toContain(`version ${version} of secret://${name.tenant}/${name.field} was altered`);
      expect(error.message + String(error.stack)).not.toMatch(/hunter2|second-version|slack"|bobs/);
    }
  };

  it('moved to another version does not decrypt', async () => {
    await move(['alice', 'telegram-bot-token', 1], ['alice', 'telegram-bot-token', 2]);
    await refusesToRead(token, 2);
  });

  it('moved to another field of the tenant does not decrypt', async () => {
    await move(['alice', 'telegram-bot-token', 1], ['alice', 'slack-bot-token', 1]);
    await refusesToRead(sameTenant, 1);
  });

  it('moved to another tenant does not decrypt', async () => {
    await move(['alice', 'telegram-bot-token', 1], ['bob', 'telegram-bot-token', 1]);
    await refusesToRead(other, 1);
  });

  it("moved to another tenant together with that tenant's data key does not decrypt either", async () => {
    await move(['alice', 'telegram-bot-token', 1], ['bob', 'telegram-bot-token', 1]);
    await sql(
      `UPDATE secret_keys SET (nonce, ciphertext) = (SELECT nonce, ciphertext FROM secret_keys WHERE tenant = 'alice') WHERE tenant = 'bob'`,
    );
    expect((await failure(secrets.get(other))).message).toContain('the data key of tenant bob was altered');
  });

  it('whose row was renamed does not decrypt', async () => {
    await sql(`UPDATE secrets SET field = 'renamed' WHERE tenant = 'alice' AND field = 'slack-bot-token'`);
    await refusesToRead({ tenant: 'alice', field: 'renamed' }, 1);
  });

  it('with a bit changed, cut short, empty or with another nonce does not decrypt', async () => {
    const where = `WHERE tenant = 'bob'`;
    const { ciphertext } = database.read((db) => db.prepare(`SELECT ciphertext FROM secrets ${where}`).get()) as { ciphertext: Uint8Array };
    for (let at = 0; at < ciphertext.length; at += 1) {
      await sql(
        `UPDATE secrets SET ciphertext = ? ${where}`,
        ciphertext.map((byte, index) => (index === at ? byte ^ 1 : byte)),
      );
      await refusesToRead(other, 1);
    }
    for (const length of [0, 1, 15, 16, ciphertext.length - 1]) {
      await sql(`UPDATE secrets SET ciphertext = ? ${where}`, ciphertext.subarray(0, length));
      await refusesToRead(other, 1);
    }
    await sql(`UPDATE secrets SET ciphertext = ?, nonce = zeroblob(12) ${where}`, ciphertext);
    await refusesToRead(other, 1);
    await sql(`UPDATE secrets SET nonce = x'' ${where}`);
    await refusesToRead(other, 1);
  });

  it('that was altered can be replaced by deleting it and storing it again', async () => {
    await sql(`UPDATE secrets SET nonce = zeroblob(12) WHERE tenant = 'bob'`);
    expect(codeOf(await failure(secrets.put(other, 'fresh')))).toBe('internal');
    await secrets.delete(other);
    await secrets.put(other, 'fresh');
    expect(await secrets.get(other)).toBe('fresh');
  });

  it('never repeats: the same value is another ciphertext each time', async () => {
    await secrets.put({ tenant: 'bob', field: 'copy' }, 'bobs');
    const rows = database.read((db) => db.prepare(`SELECT nonce, ciphertext FROM secrets`).all());
    for (const column of ['nonce', 'ciphertext']) {
      expect(new Set(rows.map((row) => Buffer.from(row[column] as Uint8Array).toString('hex'))).size).toBe(rows.length);
    }
  });
});

describe('the key file', () => {
  it('is readable by its owner alone, in a folder only the owner may enter', async () => {
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'keys'))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(folder, 'keys'))).toEqual(['master.key']);
  });

  it.each([0o644, 0o640, 0o602])('is refused with mode %o', async (mode) => {
    await chmod(keyFile, mode);
    const error = await failure(reopen());
    expect(codeOf(error)).toBe('invalid');
    expect(error.message).toContain(`chmod 600 ${keyFile}`);
  });

  it('is refused where others may replace it', async () => {
    await chmod(join(folder, 'keys'), 0o777);
    expect((await failure(reopen())).message).toContain('chmod 700');
  });

  it.each(['master.key', 'deep/er/master.key', '../data/master.key'])('is refused inside the data folder (%s)', async (inside) => {
    const error = await failure(reopen({ keyFile: join(folder, 'data', inside) }));
    expect(codeOf(error)).toBe('invalid');
    expect(error.message).toContain('data folder');
    expect(await readdir(join(folder, 'data'))).not.toContain(inside);
  });

  it('is refused inside the data folder also by way of a symbolic link', async () => {
    await symlink(join(folder, 'data'), join(folder, 'elsewhere'));
    expect((await failure(reopen({ keyFile: join(folder, 'elsewhere', 'master.key') }))).message).toContain('data folder');
    expect((await failure(reopen({ keyFile: join(folder, 'x', 'master.key'), dataFolder: folder }))).message).toContain('data folder');
  });

  it('may lie beside a data folder whose name it begins with', async () => {
    await database.write((db) => db.exec('DELETE FROM secret_keys'));
    await expect(reopen({ keyFile: join(folder, 'data-keys', 'master.key') })).resolves.toBeInstanceOf(EncryptedSecrets);
  });

  it('that is missing while secrets exist is an error that changes nothing', async () => {
    await secrets.put(token, value);
    await rename(keyFile, join(folder, 'saved'));
    const error = await failure(reopen());
    expect(codeOf(error)).toBe('unavailable');
    expect(error.message).toContain(`the key file ${keyFile} is missing`);
    expect(await readdir(join(folder, 'keys'))).toEqual([]);
    await rename(join(folder, 'saved'), keyFile);
    expect(await (await reopen()).get(token)).toBe(value);
  });

  it('of another installation is refused, and nothing is changed', async () => {
    await secrets.put(token, value);
    await rename(keyFile, join(folder, 'saved'));
    const empty = Database.open(':memory:');
    await EncryptedSecrets.open(empty, { keyFile });
    await empty.close();
    expect((await failure(reopen())).message).toContain('not the one the secrets were encrypted with');
    await rename(join(folder, 'saved'), keyFile);
    expect(await (await reopen()).get(token)).toBe(value);
  });

  it.each(['', '# nothing\n', 'garbage\n', 'abc def\n', '\u0000\u0001'])(
    'that is damaged is refused without being replaced (%j)',
    async (text) => {
      await writeFile(keyFile, text);
      expect((await failure(reopen())).message).toContain('damaged');
      expect(await readFile(keyFile, 'utf8')).toBe(text);
    },
  );

  it('with one letter of the key changed is refused, and the error does not quote it', async () => {
    const text = await readFile(keyFile, 'utf8');
    const key = text.trim().split(' ').at(-1)!;
    await writeFile(keyFile, text.replace(key, (key.startsWith('A') ? 'B' : 'A') + key.slice(1)));
    const error = await failure(reopen());
    expect(error.message).toContain('damaged');
    expect(error.message).not.toContain(key.slice(1, 10));
  });

  it('is one when two processes make it at the same moment', async () => {
    const files = [1, 2, 3, 4].map(() => Database.open(':memory:'));
    const fresh = join(folder, 'fresh', 'master.key');
    await Promise.all(files.map((file) => EncryptedSecrets.open(file, { keyFile: fresh })));
    expect((await readFile(fresh, 'utf8')).trim().split('\n')).toHaveLength(2);
    await Promise.all(files.map((file) => file.close()));
  });
});

describe('rotating the master key', () => {
  const wrappedWith = () =>
    database.read((db) => db.prepare('SELECT DISTINCT master_key FROM secret_keys').all()).map((row) => row['master_key']);

  beforeEach(async () => {
    await secrets.put(token, value);
    await secrets.put({ ...token, tenant: 'bob' }, 'bobs');
  });

  it('keeps every value and leaves nothing under the old key', async () => {
    const [before] = wrappedWith();
    const oldFile = await readFile(keyFile, 'utf8');
    await secrets.rotateMasterKey();
    expect(wrappedWith()).toHaveLength(1);
    expect(wrappedWith()).not.toContain(before);
    expect(await secrets.get(token)).toBe(value);
    expect(await (await reopen()).get({ ...token, tenant: 'bob' })).toBe('bobs');
    expect(await readFile(keyFile, 'utf8')).not.toContain(oldFile.trim().split('\n').at(-1));
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, 'keys'))).toEqual(['master.key']);
  });

  it('is one rotation when it is asked for twice at once, beside writes', async () => {
    await Promise.all([
      secrets.rotateMasterKey(),
      secrets.rotateMasterKey(),
      ...Array.from({ length: 20 }, (_, index) => secrets.put({ tenant: `tenant-${index}`, field: 'x' }, 'value')),
    ]);
    const reopened = await reopen();
    for (let index = 0; index < 20; index += 1) expect(await reopened.get({ tenant: `tenant-${index}`, field: 'x' })).toBe('value');
    expect(wrappedWith()).toHaveLength(1);
  });

  it('is finished at the next start when a crash left the old key in the file', async () => {
    const before = await readFile(keyFile, 'utf8');
    await secrets.rotateMasterKey();
    const after = await readFile(keyFile, 'utf8');
    await writeFile(keyFile, before + after.split('\n')[1]! + '\n');
    const reopened = await reopen();
    expect(await reopened.get(token)).toBe(value);
    expect(await readFile(keyFile, 'utf8')).toBe(after);
  });

  it('is finished at the next start when a crash left the rows under the old key', async () => {
    const before = await readFile(keyFile, 'utf8');
    const rows = database.read((db) => db.prepare('SELECT * FROM secret_keys').all());
    await secrets.rotateMasterKey();
    const after = await readFile(keyFile, 'utf8');
    for (const { tenant, master_key, nonce, ciphertext } of rows) {
      const statement = 'UPDATE secret_keys SET master_key = ?, nonce = ?, ciphertext = ? WHERE tenant = ?';
      await sql(statement, master_key as string, nonce as Uint8Array, ciphertext as Uint8Array, tenant as string);
    }
    await writeFile(keyFile, before + after.split('\n')[1]! + '\n');
    const reopened = await reopen();
    expect(await reopened.get(token)).toBe(value);
    expect(wrappedWith()).toEqual([after.split('\n')[1]!.split(' ')[0]]);
    expect(await readFile(keyFile, 'utf8')).toBe(after);
  });
});
