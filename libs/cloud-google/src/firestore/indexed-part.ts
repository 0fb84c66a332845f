import type { Json } from '@rockpool/cloud';

/** What is stored of a value as fields of its own, and what is stored as JSON text beside them. Together they are the value. */
interface Parts {
  readonly indexed: Fields;
  /** Laid over `indexed`, it makes the whole. Absent when nothing is left over. */
  readonly rest?: Fields;
}

type Fields = { [key: string]: Json };

/** Firestore indexes the first 1,500 bytes of a text, so that a longer one could be found by what it is not. */
const textLimitBytes = 1_500;
const keyLimitBytes = 1_500;
/** Firestore's is 20, the document and the field `data` included. */
const depthLimit = 16;
/** A document may have 40,000 entries in indexes, and every field has two before anybody declares one. */
const fieldsLimit = 5_000;

/**
 * Divides a document into what queries can look at, which is stored as fields, and the rest: lists, long texts, and what Firestore has no
 * fields for (lists of lists, empty names, names like `__x__`, halves of surrogate pairs). A list of a thousand strings so has no thousand
 * entries in an index, and a document is read as it was written.
 */
export function divide(data: Fields): Parts {
  let fieldsLeft = fieldsLimit;
  return divideObject(data, 1);

  function divideObject(object: Fields, depth: number): Parts {
    const indexed: [string, Json][] = [];
    const rest: [string, Json][] = [];
    for (const [key, value] of Object.entries(object)) {
      if (!isFieldName(key) || fieldsLeft === 0 || !isIndexable(value, depth)) {
        rest.push([key, value]);
      } else if (typeof value === 'object' && value !== null) {
        const parts = divideObject(value as Fields, depth + 1);
        indexed.push([key, parts.indexed]);
        if (parts.rest) rest.push([key, parts.rest]);
      } else {
        fieldsLeft -= 1;
        indexed.push([key, value]);
      }
    }
    // Not by assignment, to which `__proto__` is no property like the others.
    return { indexed: Object.fromEntries(indexed), ...(rest.length > 0 && { rest: Object.fromEntries(rest) }) };
  }
}

/** The value that was divided. The order of its keys may be another. */
export function reunite({ indexed, rest }: Parts): Fields {
  if (rest === undefined) return indexed;
  const laid = Object.entries(rest).map(([key, value]): [string, Json] => {
    const below = Object.hasOwn(indexed, key) ? indexed[key] : undefined;
    return [key, below === undefined ? value : reunite({ indexed: below as Fields, rest: value as Fields })];
  });
  return Object.fromEntries([...Object.entries(indexed), ...laid]);
}

/** Whether a query for this text finds the documents that have it. */
export function isIndexedText(text: string): boolean {
  return text.isWellFormed() && (text.length * 3 <= textLimitBytes || Buffer.byteLength(text) <= textLimitBytes);
}

function isIndexable(value: Json, depth: number): boolean {
  if (typeof value === 'string') return isIndexedText(value);
  return !Array.isArray(value) && (typeof value !== 'object' || value === null || depth < depthLimit);
}

function isFieldName(key: string): boolean {
  return key !== '' && key.isWellFormed() && !/^__.*__$/s.test(key) && Buffer.byteLength(key) <= keyLimitBytes;
}
