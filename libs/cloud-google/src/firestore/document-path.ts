import { InvalidInput } from '@rockpool/contracts';

/** Firestore's limit on a whole name, less what the name of the project and the database take of it. */
const pathLimitBytes = 6_144 - 256;
const partLimitBytes = 1_500;

/**
 * Returns the path when it is one of a document. Everything the port allows in a path, Firestore allows as well, so paths are stored as they
 * are. Throws `invalid`.
 */
export function documentPath(path: string): string {
  if (partsOf(path).length % 2 !== 0) throw new InvalidInput(`${path} is the path of a collection, not of a document`);
  return path;
}

/** The own name of the collection at this path: `turns` of `tenants/alice/turns`. Throws `invalid`. */
export function collectionName(path: string): string {
  const parts = partsOf(path);
  if (parts.length % 2 !== 1) throw new InvalidInput(`${path} is the path of a document, not of a collection`);
  return parts.at(-1)!;
}

/** Returns the name when it can be one of a collection. Throws `invalid`. */
export function groupName(name: string): string {
  if (partsOf(name).length !== 1) throw new InvalidInput(`${name} is no name of a collection`);
  return name;
}

function partsOf(path: string): string[] {
  if (!path.isWellFormed() || Buffer.byteLength(path) > pathLimitBytes)
    throw new InvalidInput('a document path is well-formed Unicode of at most 5,888 bytes');
  const parts = path.split('/');
  const wrong = parts.find((part) => /^(\.{0,2}|__.*__)$|\p{Cc}/u.test(part) || Buffer.byteLength(part) > partLimitBytes);
  if (wrong !== undefined) throw new InvalidInput(`a document path cannot have the part ${JSON.stringify(wrong)}`);
  return parts;
}
