import type { Document } from '@rockpool/cloud';

/** When a document that the Firestore driver read expires. The port does not tell; it is a part of the version that this driver gives. */
export function expiryOf({ version }: Pick<Document, 'version'>): Date | undefined {
  const expireAtMs = /\/(-?\d{1,16})$/.exec(version)?.[1];
  return expireAtMs === undefined ? undefined : new Date(Number(expireAtMs));
}
