import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openTestDocuments, type TestDocuments } from '@rockpool/cloud-embedded/testing';
import type { TenantId } from '@rockpool/contracts';
import { agentIndexes, Memory } from './memory.js';

const [alice, bob] = ['alice', 'bob'] as TenantId[] as [TenantId, TenantId];
let store: TestDocuments;
let minute = 0;
const note = (text: string) => ({ text, at: new Date(Date.UTC(2026, 0, 1, 0, minute++)).toISOString(), by: '12345' });
const texts = (notes: readonly { text: string }[]): string[] => notes.map(({ text }) => text);

beforeEach(async () => {
  store = await openTestDocuments(agentIndexes);
});
afterEach(() => store.close());

describe('memory', () => {
  it('finds a note by its words, the best first', async () => {
    const memory = new Memory(store.documents);
    for (const text of ['The spare key is with Anna', 'Anna is vegetarian', 'The car is blue']) await memory.remember(alice, note(text));
    expect(texts(await memory.recall(alice, 'Where is the spare key of Anna?'))).toEqual([
      'The spare key is with Anna',
      'Anna is vegetarian',
    ]);
    expect(texts(await memory.recall(alice, 'keys'))).toEqual(['The spare key is with Anna']);
    expect(await memory.recall(alice, 'bicycle')).toEqual([]);
  });

  it('gives the newest notes when nothing is asked for', async () => {
    const memory = new Memory(store.documents);
    for (const text of ['one', 'two', 'three']) await memory.remember(alice, note(text));
    expect(texts(await memory.recall(alice, '', 2))).toEqual(['three', 'two']);
  });

  it('never shows one tenant the notes of another', async () => {
    const memory = new Memory(store.documents);
    await memory.remember(alice, note('The code is 1234'));
    expect(await memory.recall(bob, 'code')).toEqual([]);
    expect(await memory.recall(bob, '')).toEqual([]);
  });

  it('keeps one note of what is said twice', async () => {
    const memory = new Memory(store.documents);
    await memory.remember(alice, note('The car is blue'));
    await memory.remember(alice, note('the car  is blue'));
    expect(await memory.recall(alice, '')).toHaveLength(1);
  });

  it('lets the oldest go when it is full', async () => {
    const memory = new Memory(store.documents, { maxNotes: 3 });
    for (const text of ['one', 'two', 'three', 'four']) await memory.remember(alice, note(text));
    expect(texts(await memory.recall(alice, ''))).toEqual(['four', 'three', 'two']);
  });

  it('refuses an empty note and one that is too long', async () => {
    const memory = new Memory(store.documents);
    await expect(memory.remember(alice, note('  '))).rejects.toThrow('nothing to remember');
    await expect(memory.remember(alice, note('x'.repeat(2_001)))).rejects.toThrow('at most 2000 characters');
  });
});
