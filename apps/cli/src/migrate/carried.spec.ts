import { describe, expect, it } from '@jest/globals';
import { carried, contentOf, kindOf } from './carried.js';

describe('what is carried of a document', () => {
  it.each([
    ['tenants/alice/conversations/c', { fence: 2, lease: {} }, { fence: 2 }],
    ['tenants/alice/jobs/j', { state: 'queued', lease: {} }, { state: 'queued' }],
    ['tenants/alice/schedules/s', { hop: 1, busyUntil: 9 }, { hop: 1 }],
    ['operations/o', { done: 1, holder: 'h', heldUntil: 9 }, { done: 1 }],
    ['tenants/alice/memories/m', { lease: 'of a flat' }, { lease: 'of a flat' }],
    ['tenants/alice/conversations/c/messages/1', { lease: 'text' }, { lease: 'text' }],
  ])('of %s with %j is %j', (path, data, left) => {
    expect(carried({ path, data }).data).toEqual(left);
  });
});

describe('the content of a document', () => {
  const content = (text: string, expireAt?: Date) => contentOf({ path: 'a/b', data: JSON.parse(text) as object, expireAt });

  it('is the same whatever the order of its names', () => {
    expect(content('{"a":1,"b":{"c":[1,{"d":null,"e":2}]}}')).toBe(content('{"b":{"c":[1,{"e":2,"d":null}]},"a":1}'));
  });

  it.each([
    ['{"a":1}', '{"a":"1"}'],
    ['{"a":[1,2]}', '{"a":[2,1]}'],
    ['{"a":null}', '{}'],
    ['{"a":{}}', '{"a":[]}'],
    ['{"__proto__":1}', '{"__proto__":2}'],
    ['{"a":[["b",1]]}', '{"a":{"b":1}}'],
  ])('of %s is another than of %s', (one, other) => {
    expect(content(one)).not.toBe(content(other));
  });

  it('has its expiry in it', () => {
    expect(content('{}', new Date(5))).not.toBe(content('{}'));
  });
});

it('counts collections of one sort together', () => {
  expect(kindOf('tenants/alice/turns/e/replies')).toBe('tenants/<>/turns/<>/replies');
});
