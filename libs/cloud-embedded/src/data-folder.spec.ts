import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { codeOf } from '@rockpool/contracts';
import { mkdtemp, open as openFile, readFile, rm, truncate, writeFile } from 'node:fs/promises';
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

  const file = () => join(parent, 'deep', 'data', 'rockpool.db');
  const contents = () => Promise.all(['', '-wal'].map((end) => readFile(file() + end).catch(() => Buffer.alloc(0))));

  it.each<[string, (file: string) => Promise<void>, string]>([
    [
      'is no database',
      (path) => writeFile(path, 'this is not a database, but long enough to look like the header of one '.repeat(100)),
      'not a database',
    ],
    ['is cut short', (path) => truncate(path, 8_192), 'malformed'],
    ['has a page of something else', (path) => overwrite(path, 3 * 4_096), 'is damaged'],
  ])('is left as it is when its database %s, and says how to go on', async (_what, damage, words) => {
    const folder = await open();
    folder.database.define('CREATE TABLE notes (text); CREATE INDEX by_text ON notes (text)');
    await folder.database.write((db) => db.exec(`INSERT INTO notes SELECT hex(randomblob(400)) FROM ${counted}`));
    await folder.close();
    await damage(file());
    const before = await contents();
    expect(await failure(open())).toMatch(
      new RegExp(`^unavailable: .*rockpool\\.db .*${words}.*Nothing was changed.*restore a backup.*begin anew`),
    );
    expect(await contents()).toEqual(before);
  });

  it('is not begun anew when only the write-ahead log is there, for everything may be in it', async () => {
    await open();
    await opened!.close();
    await rm(file());
    await writeFile(`${file()}-wal`, 'frames');
    expect(await failure(open())).toMatch(/^unavailable: .*rockpool\.db is empty or gone, but its write-ahead log is there/);
    expect(await contents()).toEqual([Buffer.alloc(0), Buffer.from('frames')]);
  });
});

/** Rows enough for several pages. */
const counted = '(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) SELECT i FROM n)';

async function overwrite(path: string, position: number): Promise<void> {
  await using handle = await openFile(path, 'r+');
  await handle.write(Buffer.alloc(4_096, 0xab), 0, 4_096, position);
}
