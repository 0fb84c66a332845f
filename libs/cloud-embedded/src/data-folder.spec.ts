import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { codeOf } from '@rockpool/contracts';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataFolder, type Migration } from './data-folder.js';

describe('DataFolder', () => {
  let parent: string;
  let opened: DataFolder | undefined;

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'rockpool-folder-'));
  });

  afterEach(async () => {
    await opened?.close();
    opened = undefined;
    await rm(parent, { recursive: true });
  });

  const open = async (steps?: readonly Migration[]) => (opened = await DataFolder.open(join(parent, 'deep', 'data'), steps));
  const failure = (opening: Promise<unknown>) =>
    opening.then(
      () => 'opened',
      (error: Error) => `${codeOf(error)}: ${error.message}`,
    );

  it('is held once, and free again when it is closed', async () => {
    const first = await open();
    expect(await failure(open())).toMatch(`held by process ${process.pid}`);
    await first.close();
    await first.close();
    await open();
  });

  it('brings an older format forward, one step after the other', async () => {
    const makeTable: Migration = (db) => db.exec('CREATE TABLE notes (text)');
    const fillTable: Migration = (db) => db.exec(`INSERT INTO notes VALUES ('moved')`);
    await (await open([])).close();
    await (await open([makeTable])).close();
    const folder = await open([makeTable, fillTable]);
    expect(folder.database.read((db) => db.prepare('SELECT text FROM notes').all())).toEqual([{ text: 'moved' }]);
  });

  it('takes no steps for a new folder, where the drivers make their tables as they are now', async () => {
    const folder = await open([(db) => db.exec('DROP TABLE of_format_1')]);
    await folder.close();
    await open([(db) => db.exec('DROP TABLE of_format_1')]);
  });

  it('is left at its old format when a step fails', async () => {
    await (await open([])).close();
    const half: Migration = (db) => db.exec('CREATE TABLE half (done)');
    const broken: Migration = () => {
      throw new Error('halfway');
    };
    expect(await failure(open([half, broken]))).toContain('halfway');
    const folder = await open([]);
    expect(folder.database.read((db) => db.prepare(`SELECT name FROM sqlite_schema WHERE name = 'half'`).all())).toEqual([]);
  });

  it('refuses a newer format and says what to do', async () => {
    await (await open([() => undefined, () => undefined])).close();
    expect(await failure(open([]))).toMatch(/^unavailable: .*newer version.*format is 3.*up to 1/);
  });

  it('says so when it cannot be one', async () => {
    await writeFile(join(parent, 'deep'), 'a file');
    expect(await failure(open())).toMatch(/^unavailable: cannot make the data folder/);
  });

  it('says so when the database in it is none', async () => {
    await (await open()).close();
    await writeFile(
      join(parent, 'deep', 'data', 'rockpool.db'),
      'this is not a database, but long enough to look like the header of one, or so one hopes',
    );
    expect(await failure(open())).toMatch(/^unavailable: cannot read .*rockpool\.db/);
  });
});
