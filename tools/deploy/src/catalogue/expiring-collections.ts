/**
 * Where documents are written with `expireAt`, and the collections they are written to: Firestore deletes expired ones in these only. By the name of the file that
 * writes them, so that a test can tell when one is missing here.
 */
export const expiringCollections: Readonly<Record<string, readonly string[]>> = {
  'alerts.ts': ['alerts'],
  'bulk-operations.ts': ['operations'],
  'bulk-worker.ts': ['operations'],
  'commands.ts': ['signals'],
  'host-heartbeat.ts': ['hosts'],
  'host-watch.ts': ['hosts'],
  'inbox.ts': ['notices', 'signals', 'turns'],
  'message-limits.ts': ['allowances'],
  'schedule-firing.ts': ['schedules'],
  'settlement.ts': ['signals'],
  'usage-roll-up.ts': ['usage'],
  'web-feed.ts': ['feed'],
};
