import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { codeOf } from '@rockpool/contracts';
import { mkdtemp, open as openFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Database } from './database.js';

describe('Database', () => {
  let folder: string;
  let database: Database;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rockpool-database-'));
    database = Database.open(join(folder, 'test.sqlite'));
    database.define('CREATE TABLE numbers (number INTEGER PRIMARY KEY)');
  });

  afterEach(async () => {
    await database.close();
    await rm(folder, { recursive: true });
  });

  const insert = (number: number) => database.prepare('INSERT INTO numbers VALUES (?)').run(number);
  const stored = () =>
    database.read(() => database.prepare('SELECT number FROM numbers ORDER BY number').all()).map((row) => row['number']);

  it('resolves with what the work returned', async () => {
    await expect(database.write(() => insert(7).changes)).resolves.toBe(1);
    expect(stored()).toEqual([7]);
  });

  it('does in one commit what one turn of the event loop asked for', async () => {
    const transactions = new Set<number>();
    await Promise.all(
      Array.from({ length: 20 }, (_, number) =>
        database.write(() => {
          insert(number);
          // Every work of a batch sees the others' rows, and the outside none of them.
          transactions.add(Number(database.prepare('SELECT count(*) AS count FROM numbers').get()?.['count']));
        }),
      ),
    );
    expect([...transactions]).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(stored()).toHaveLength(20);
  });

  it.each([0, 25, 49])('undoes a failing work, number %i of fifty, and none of its neighbours', async (failing) => {
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, (_, number) =>
        database.write(() => {
          insert(number);
          if (number !== failing) return number;
          insert(1_000);
          throw new Error('halfway');
        }),
      ),
    );
    expect(results.map(({ status }) => status).filter((status) => status === 'rejected')).toHaveLength(1);
    expect(results[failing]).toMatchObject({ status: 'rejected', reason: { message: 'halfway' } });
    expect(stored()).toEqual(Array.from({ length: 50 }, (_, number) => number).filter((number) => number !== failing));
  });

  it('undoes a failing work that is alone in its commit', async () => {
    const failing = database.write(() => {
      insert(1);
      throw new Error('halfway');
    });
    await expect(failing).rejects.toThrow('halfway');
    expect(stored()).toEqual([]);
    await database.write(() => insert(2));
    expect(stored()).toEqual([2]);
  });

  it('rejects a work that is not synchronous, and undoes what it did', async () => {
    const asynchronous = database.write(() => {
      insert(1);
      return Promise.resolve();
    });
    await expect(asynchronous).rejects.toThrow('synchronous');
    expect(stored()).toEqual([]);
  });

  it('rejects the whole batch when its commit fails, and works again afterwards', async () => {
    // A deferred foreign key is checked by COMMIT, so each work by itself goes well.
    database.define('CREATE TABLE orphans (parent INTEGER REFERENCES numbers (number) DEFERRABLE INITIALLY DEFERRED)');
    const orphan = database.write(() => database.prepare('INSERT INTO orphans VALUES (404)').run());
    const results = await Promise.all(
      [database.write(() => insert(1)), orphan, database.write(() => insert(2))].map((one) => one.catch(codeOf)),
    );
    expect(results).toEqual(['unavailable', 'unavailable', 'unavailable']);
    expect(stored()).toEqual([]);
    expect(database.fault?.code).toBe('unavailable');
    await database.write(() => insert(3));
    expect(stored()).toEqual([3]);
    expect(database.fault).toBeUndefined();
  });

  it('says unavailable when the disk is full', async () => {
    database.define('CREATE TABLE bytes (content BLOB)');
    const pages = database.read((db) => Number(db.prepare('PRAGMA page_count').get()?.['page_count']));
    database.read((db) => db.exec(`PRAGMA max_page_count = ${pages + 10}`));
    const fill = () => database.write(() => database.prepare('INSERT INTO bytes VALUES (zeroblob(1000000))').run());
    const results = await Promise.all(
      [database.write(() => insert(1)), fill(), database.write(() => insert(2))].map((one) => one.catch(codeOf)),
    );
    expect(results[1]).toBe('unavailable');
    expect(database.fault?.message).toContain('full');
    // Whatever was reported durable is there, and nothing else is.
    expect(stored()).toEqual([1, 2].filter((_, index) => results[index * 2] !== 'unavailable'));
    database.read((db) => db.exec('PRAGMA max_page_count = 1000000'));
    await fill();
    expect(database.fault).toBeUndefined();
  });

  describe('while another program holds the lock', () => {
    let other: DatabaseSync;
    beforeEach(() => {
      other = new DatabaseSync(join(folder, 'test.sqlite'));
      other.exec('BEGIN IMMEDIATE');
    });
    afterEach(() => other.close());

    it('waits for it, and everything but writing goes on', async () => {
      const waiting = database.write(() => insert(1));
      const behind = database.write(() => insert(2));
      await new Promise((resolve) => setImmediate(resolve));
      expect(stored()).toEqual([]);
      other.exec('ROLLBACK');
      await Promise.all([waiting, behind]);
      expect(stored()).toEqual([1, 2]);
      expect(database.fault).toBeUndefined();
    });

    it('says so when it is held for too long, then at once, until it is free', async () => {
      const refused = await Promise.all([database.write(() => insert(1)), database.write(() => insert(2))].map((one) => one.catch(codeOf)));
      expect(refused).toEqual(['unavailable', 'unavailable']);
      expect(database.fault?.message).toContain('another program holds a lock on the database: close it');
      await expect(database.write(() => insert(3))).rejects.toThrow('locked');
      other.exec('ROLLBACK');
      await database.write(() => insert(4));
      expect(stored()).toEqual([4]);
      expect(database.fault).toBeUndefined();
    });

    it('does not wait for ever when it is closed', async () => {
      const waiting = database.write(() => insert(1)).catch(codeOf);
      await database.close();
      expect(await waiting).toBe('unavailable');
    });
  });

  it('remembers damage that it once met, even where writing still goes well', async () => {
    database.define('CREATE TABLE others (number INTEGER)');
    await database.write(() => Array.from({ length: 5_000 }, (_, number) => insert(number)));
    await database.close();
    const file = await openFile(join(folder, 'test.sqlite'), 'r+');
    await file.write(Buffer.alloc(4_096 * 5, 0xab), 0, 4_096 * 5, 4_096 * 5);
    await file.close();
    database = Database.open(join(folder, 'test.sqlite'));
    expect(() => stored()).toThrow('the database is damaged: stop, keep a copy of the data folder, and restore a backup of it');
    await database.write(() => database.prepare('INSERT INTO others VALUES (1)').run());
    expect(database.fault?.message).toContain('damaged');
  });

  it('refuses to read from within a write, where it would see what is not committed', async () => {
    await expect(database.write(() => stored())).rejects.toThrow('uncommitted');
  });

  it('lets a write that is in no hurry join the next commit', async () => {
    const patient = database.write(() => insert(1), { withinMs: 60_000 });
    await database.write(() => insert(2));
    await patient;
    expect(stored()).toEqual([1, 2]);
  });

  it('commits a patient write on its own when nobody comes', async () => {
    await database.write(() => insert(1), { withinMs: 1 });
    expect(stored()).toEqual([1]);
  });

  it('commits what waits when it is closed, and refuses what comes later', async () => {
    const waiting = [database.write(() => insert(1)), database.write(() => insert(2), { withinMs: 60_000 })];
    await database.close();
    await Promise.all(waiting);
    await expect(database.write(() => insert(3)).catch(codeOf)).resolves.toBe('unavailable');
    expect(() => stored()).toThrow('closed');
    database = Database.open(join(folder, 'test.sqlite'));
    expect(stored()).toEqual([1, 2]);
  });

  it('never gives a number twice, however often it is opened', async () => {
    const numbers = [database.uniqueNumber(), database.uniqueNumber()];
    await database.close();
    database = Database.open(join(folder, 'test.sqlite'));
    numbers.push(database.uniqueNumber());
    expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => one - other));
  });

  it('says so when the file is no database', async () => {
    const file = join(folder, 'text.sqlite');
    await writeFile(file, 'this is a text, and long enough to be read as the header of a database file, which it is not');
    expect(() => Database.open(file)).toThrow('cannot open the database');
  });
});
