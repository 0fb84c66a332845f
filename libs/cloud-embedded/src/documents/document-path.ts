import { InvalidInput } from '@rockpool/contracts';

/** A document's place: its collection's path, the collection's own name, and the document's id. */
export interface DocumentPath {
  readonly path: string;
  readonly collection: string;
  readonly name: string;
  readonly id: string;
}

const maxPathBytes = 6_144;
const maxPartBytes = 1_500;

/**
 * Parses `tenants/alice/turns/telegram:1:2`. Throws `InvalidInput` for what Firestore would refuse as well, so that a path that works here
 * works there.
 */
export function documentPath(path: string): DocumentPath {
  const parts = partsOf(path);
  if (parts.length % 2 !== 0) throw new InvalidInput(`${path} is the path of a collection, not of a document`);
  const end = path.lastIndexOf('/');
  return { path, collection: path.slice(0, end), name: parts[parts.length - 2]!, id: path.slice(end + 1) };
}

/** The collection's own name: `turns` of `tenants/alice/turns`. Throws `InvalidInput` when the path is not one of a collection. */
export function collectionName(path: string): string {
  const parts = partsOf(path);
  if (parts.length % 2 !== 1) throw new InvalidInput(`${path} is the path of a document, not of a collection`);
  return parts[parts.length - 1]!;
}

function partsOf(path: string): string[] {
  if (longer(path, maxPathBytes)) throw new InvalidInput('a document path has at most 6 KiB');
  if (!path.isWellFormed()) throw new InvalidInput('a document path is well-formed Unicode');
  const parts = path.split('/');
  for (const part of parts) {
    if (part === '' || part === '.' || part === '..' || longer(part, maxPartBytes) || /^__.*__$|\p{Cc}/u.test(part))
      throw new InvalidInput(`${JSON.stringify(part)} cannot be a part of a document path`);
  }
  return parts;
}

/** UTF-8 has at most three bytes for each UTF-16 unit, so most strings need not be measured. */
function longer(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}
