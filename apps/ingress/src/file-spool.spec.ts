import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InvalidInput, RockpoolError } from '@rockpool/contracts';
import { FileSpool, type FileSpoolOptions } from './file-spool.js';

let folder: string;
/** What the bus has, in order; while it is down it takes nothing. */
let bus: { taken: string[]; up: boolean };
let states: string[];
let spool: FileSpool | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-spool-'));
  bus = { taken: [], up: false };
  states = [];
});

afterEach(async () => {
  await spool?.stop();
  spool = undefined;
  await rm(folder, { recursive: true });
});

async function open(options: Partial<FileSpoolOptions> = {}): Promise<FileSpool> {
  spool = await FileSpool.open({
    folder,
    maxBytes: 10_000,
    retryMs: 5,
    deliver: async (entry) => {
      if (!bus.up) throw new RockpoolError('unavailable', 'down');
      bus.taken.push(entry);
    },
    onChange: (state) => {
      states.push(state);
      if (state === 'empty') emptied.resolve();
    },
    onRefused: (error) => states.push(`refused: ${(error as Error).message}`),
    ...options,
  });
  return spool;
}

let emptied = Promise.withResolvers<void>();
beforeEach(() => {
  emptied = Promise.withResolvers();
});

const entry = (n: number) => JSON.stringify({ n });
const entries = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => entry(from + index));

describe('a spool of files', () => {
  it('keeps what the bus does not take and hands it on, in order, once the bus is back', async () => {
    const spool = await open();
    expect(spool.isEmpty).toBe(true);
    await Promise.all(entries(1, 50).map((line) => spool.add(line)));
    expect(spool.isEmpty).toBe(false);
    bus.up = true;
    await emptied.promise;
    expect(bus.taken).toEqual(entries(1, 50));
    expect([spool.isEmpty, states]).toEqual([true, ['filling', 'empty']]);
  });

  it('has an entry on disk when it says so', async () => {
    const spool = await open();
    await spool.add(entry(1));
    // It may leave meanwhile, but only in this direction.
    const arriving = await readFile(join(folder, 'arriving.jsonl'), 'utf8').catch(() => '');
    const leaving = await readFile(join(folder, 'leaving.jsonl'), 'utf8').catch(() => '');
    expect(arriving + leaving).toContain(`${entry(1)}\n`);
  });

  it('lets nothing overtake: what comes while some leave goes after them', async () => {
    const spool = await open({
      deliver: async (line) => {
        if (!bus.up) throw new RockpoolError('unavailable', 'down');
        bus.taken.push(line);
        if (bus.taken.length === 1) await Promise.all(entries(4, 6).map((later) => spool.add(later)));
      },
    });
    await Promise.all(entries(1, 3).map((line) => spool.add(line)));
    bus.up = true;
    await emptied.promise;
    expect(bus.taken).toEqual(entries(1, 6));
  });

  it('hands on after a restart what the process before left behind, and ignores a line that was cut short', async () => {
    await writeFile(join(folder, 'leaving.jsonl'), `${entry(1)}\n`);
    await writeFile(join(folder, 'arriving.jsonl'), `${entry(2)}\n{"n":`);
    const spool = await open();
    expect(spool.isEmpty).toBe(false);
    await spool.add(entry(3));
    bus.up = true;
    await emptied.promise;
    expect(bus.taken).toEqual(entries(1, 3));
  });

  it('goes on where it stood when the bus fails in the middle', async () => {
    const spool = await open({
      deliver: async (line) => {
        if (!bus.up || (bus.taken.length === 2 && states.length === 1)) {
          if (bus.up) states.push('failed once');
          throw new RockpoolError('unavailable', 'down');
        }
        bus.taken.push(line);
      },
    });
    await Promise.all(entries(1, 4).map((line) => spool.add(line)));
    bus.up = true;
    await emptied.promise;
    expect(bus.taken).toEqual(entries(1, 4));
    expect(states).toEqual(['filling', 'failed once', 'empty']);
  });

  it('refuses more than it may hold, and takes again once there is room', async () => {
    const spool = await open({ maxBytes: 20 });
    await spool.add(entry(1));
    await spool.add(entry(2));
    await expect(spool.add(entry(3))).rejects.toMatchObject({ code: 'unavailable' });
    bus.up = true;
    await emptied.promise;
    await spool.add(entry(4));
    expect(bus.taken.slice(0, 2)).toEqual(entries(1, 2));
  });

  it('refuses what it cannot write', async () => {
    await appendFile(join(folder, 'file'), '');
    const spool = await open({ folder: join(folder, 'file') });
    await expect(spool.add(entry(1))).rejects.toMatchObject({ code: 'unavailable' });
    expect(spool.isEmpty).toBe(true);
  });

  it('puts aside what nobody can ever take, and goes on', async () => {
    const spool = await open({
      deliver: async (line) => {
        if (line === entry(1)) throw new InvalidInput('no event');
        bus.taken.push(line);
      },
    });
    await Promise.all(entries(1, 2).map((line) => spool.add(line)));
    await emptied.promise;
    expect([bus.taken, states]).toEqual([[entry(2)], ['filling', 'refused: no event', 'empty']]);
    expect(await readFile(join(folder, 'refused.jsonl'), 'utf8')).toBe(`${entry(1)}\n`);
  });
});
