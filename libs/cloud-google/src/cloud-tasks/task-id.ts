import { createHash } from 'node:crypto';

const maxLength = 500;
const prefixLength = 16;

/**
 * The id of a task in Cloud Tasks: a hash of the name, then the name for people. Ids that begin alike would fall on one machine of the service and slow each other down.
 * Different names have different ids: where hash and name are longer than an id may be, the whole hash stands for the part that is cut off.
 */
export function taskIdOf(name: string): string {
  const hash = createHash('sha256').update(name).digest('hex');
  const id = `${hash.slice(0, prefixLength)}-${name}`;
  return id.length <= maxLength ? id : `${hash}-${name}`.slice(0, maxLength);
}
