import { describe, expect, it } from '@jest/globals';
import type { IndexDeclaration } from '@rockpool/cloud';
import { codeOf } from '@rockpool/contracts';
import { firestoreIndexes, requireIndex } from './indexes.js';

const turns: IndexDeclaration[] = [
  { collection: 'turns', scope: 'collection', fields: ['conversationId', 'open', 'seq'] },
  { collection: 'turns', scope: 'group', fields: ['receivedAt'] },
  { collection: 'turns', scope: 'group', fields: [] },
  { collection: 'turns', scope: 'collection', fields: ['state'] },
];

describe('the index file', () => {
  it('has every declared index of several fields both ways', () => {
    const equal = [
      { fieldPath: 'data.conversationId', order: 'ASCENDING' },
      { fieldPath: 'data.open', order: 'ASCENDING' },
    ];
    expect(firestoreIndexes(turns).indexes).toEqual(
      ['ASCENDING', 'DESCENDING'].map((order) => ({
        collectionGroup: 'turns',
        queryScope: 'COLLECTION',
        fields: [...equal, { fieldPath: 'data.seq', order }],
      })),
    );
  });

  it('has a single field of a group as an override, which keeps the indexes the field has anyway', () => {
    expect(firestoreIndexes(turns).fieldOverrides).toContainEqual({
      collectionGroup: 'turns',
      fieldPath: 'data.receivedAt',
      indexes: [
        { order: 'ASCENDING', queryScope: 'COLLECTION' },
        { order: 'DESCENDING', queryScope: 'COLLECTION' },
        { order: 'ASCENDING', queryScope: 'COLLECTION_GROUP' },
        { order: 'DESCENDING', queryScope: 'COLLECTION_GROUP' },
      ],
    });
  });

  it('keeps what the driver stores for itself out of all indexes, and lets expired documents be deleted', () => {
    expect(firestoreIndexes([], ['signals', 'signals']).fieldOverrides).toEqual([
      { collectionGroup: 'signals', fieldPath: 'expireAt', ttl: true, indexes: [] },
      { collectionGroup: 'signals', fieldPath: 'meta', indexes: [] },
    ]);
  });

  it('is the same whatever the order of the declarations, and names nothing twice', () => {
    const file = firestoreIndexes(turns, ['turns', 'notices']);
    expect(firestoreIndexes([...turns, ...turns].reverse(), ['notices', 'turns', 'notices'])).toEqual(file);
    const fields = file.fieldOverrides.map(({ collectionGroup, fieldPath }) => `${collectionGroup}/${fieldPath}`);
    expect(new Set(fields).size).toBe(fields.length);
  });

  it('quotes names that Firestore would take for expressions', () => {
    const { indexes } = firestoreIndexes([{ collection: 'notes', scope: 'group', fields: ['a-b', 'meta.rank'] }]);
    expect(indexes[0]?.fields.map(({ fieldPath }) => fieldPath)).toEqual(['data.`a-b`', 'data.meta.rank']);
  });
});

describe('a query', () => {
  const need = { collection: 'turns', scope: 'collection', equal: [], ordered: undefined } as const;
  const outcomeOf = (changes: Partial<Parameters<typeof requireIndex>[1]>) => {
    try {
      requireIndex(turns, { ...need, ...changes });
      return 'allowed';
    } catch (error) {
      return codeOf(error);
    }
  };

  it.each([
    ['by id', {}],
    ['by one field', { equal: ['anything'] }],
    ['in the order of one field', { ordered: 'anything' }],
    ['with the fields of an index in another order', { equal: ['open', 'conversationId'], ordered: 'seq' }],
    ['by equality on all fields of an index', { equal: ['seq', 'open', 'conversationId'] }],
    ['of a group', { scope: 'group' }],
    ['of a group by a declared field', { scope: 'group', ordered: 'receivedAt' }],
  ] as const)('%s is allowed', (_, changes) => {
    expect(outcomeOf(changes)).toBe('allowed');
  });

  it.each([
    ['in the order of a field that is not the last of the index', { equal: ['open', 'seq'], ordered: 'conversationId' }],
    ['by a part of the fields', { equal: ['conversationId'], ordered: 'seq' }],
    ['of a group by what is declared for single collections', { scope: 'group', equal: ['state'] }],
    ['of a collection by what is declared for another', { collection: 'messages', equal: ['conversationId', 'open'], ordered: 'seq' }],
  ] as const)('%s is refused', (_, changes) => {
    expect(outcomeOf(changes)).toBe('undeclared_index');
  });

  it('is refused with the declaration that it wants', () => {
    expect(() => requireIndex([], { ...need, equal: ['a'], ordered: 'b' })).toThrow('"fields":["a","b"]');
  });
});
