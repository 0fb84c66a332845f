import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { StoredSpan } from '@rockpool/cloud';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Database } from './database.js';
import { SqliteSpanStore, type SpanStoreOptions } from './sqlite-span-store.js';

const traceA = 'a'.repeat(32);
const traceB = 'b'.repeat(32);
const traceC = 'c'.repeat(32);
let counter = 0;

function span(traceId: string, more: Partial<StoredSpan> = {}): StoredSpan {
  counter++;
  return {
    traceId,
    spanId: counter.toString(16).padStart(16, '0'),
    name: `span ${counter}`,
    kind: 'internal',
    service: 'probe',
    startMs: counter,
    durationMs: 1,
    status: { code: 'unset' },
    attributes: {},
    links: [],
    events: [],
    ...more,
  };
}

const linkTo = (traceId: string) => [{ traceId, spanId: '0'.repeat(15) + '1' }];

describe('the span store', () => {
  let folder: string;
  let store: SqliteSpanStore;
  const open = (options: SpanStoreOptions = {}): void => {
    store = SqliteSpanStore.open(join(folder, 'traces.db'), options);
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rockpool-spans-'));
  });
  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });

  it('finds a whole trace by its id, by an event id and by a turn id', async () => {
    open();
    const spans = [
      span(traceA, {
        attributes: { 'rockpool.event.id': 'telegram:1:2' },
        events: [{ name: 'placed', atMs: 5, attributes: { chunk: 1 } }],
      }),
      span(traceA, { attributes: { 'rockpool.turn.id': 'turn-7' }, status: { code: 'error', message: 'unavailable' } }),
      span(traceA),
    ];
    await store.record(spans.slice(0, 1));
    await store.record([...spans.slice(1), span(traceB)]);
    for (const id of [traceA, 'telegram:1:2', 'turn-7']) expect(await store.find(id)).toEqual(spans);
    expect(await store.find('telegram:9:9')).toEqual([]);
  });

  it('finds the traces linked to it, in both directions and no further', async () => {
    open();
    const first = span(traceA, { attributes: { 'rockpool.event.id': 'one' } });
    const second = span(traceB, { attributes: { 'rockpool.event.id': 'two' }, links: linkTo(traceA) });
    const third = span(traceC, { attributes: { 'rockpool.event.id': 'three' }, links: linkTo(traceB) });
    await store.record([third, second, first]);
    expect(await store.find('one')).toEqual([first, second]);
    expect(await store.find('two')).toEqual([first, second, third]);
    expect(await store.find('three')).toEqual([second, third]);
  });

  it('finds spans that are just being recorded', async () => {
    open();
    const recorded = store.record([span(traceA)]);
    expect(await store.find(traceA)).toHaveLength(1);
    await recorded;
  });

  it('keeps no more spans than it may, the newest', async () => {
    open({ maxSpans: 10 });
    for (let index = 0; index < 25; index++)
      await store.record([span(index.toString(16).padStart(32, '0'), { attributes: { 'rockpool.event.id': `event-${index}` } })]);
    const kept = await Promise.all(Array.from({ length: 25 }, async (_, index) => (await store.find(`event-${index}`)).length));
    expect(kept).toEqual([...Array(15).fill(0), ...Array(10).fill(1)]);
  });

  it('keeps no span longer than it may', async () => {
    let now = 1_000_000;
    open({ maxAgeMs: 3_600_000, now: () => now });
    await store.record([span(traceA)]);
    now += 3_000_000;
    await store.record([span(traceB)]);
    now += 700_000;
    await store.record([span(traceC)]);
    expect([await store.find(traceA), await store.find(traceB), await store.find(traceC)].map((found) => found.length)).toEqual([0, 1, 1]);
  });

  it('has what it had after it was closed and opened again, and goes on counting', async () => {
    open({ maxSpans: 3 });
    await store.record([span(traceA), span(traceA)]);
    await store.close();
    open({ maxSpans: 3 });
    expect(await store.find(traceA)).toHaveLength(2);
    await store.record([span(traceB), span(traceB), span(traceB)]);
    expect(await store.find(traceA)).toHaveLength(0);
    expect(await store.find(traceB)).toHaveLength(3);
  });

  it('has on file what it was given, together, by the time the engine waits for its disk', async () => {
    open();
    const engine = Database.open(join(folder, 'engine.db'));
    const file = new DatabaseSync(join(folder, 'traces.db'), { readOnly: true });
    const recorded = [store.record([span(traceA)]), store.record([span(traceA), span(traceB)])];
    const rows = await engine.write(() => file.prepare('SELECT number FROM batches').all());
    expect(rows).toEqual([{ number: 3 }]);
    await Promise.all(recorded);
    file.close();
    await engine.close();
  });

  it('begins anew in place of a file that is no database', async () => {
    writeFileSync(join(folder, 'traces.db'), 'not a database, '.repeat(1_000));
    open();
    await store.record([span(traceA)]);
    expect(await store.find(traceA)).toHaveLength(1);
  });
});
