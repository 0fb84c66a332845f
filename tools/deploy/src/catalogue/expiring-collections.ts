/**
 * Where documents are written with `expireAt`, and the collections they are written to: Firestore deletes expired ones in these only. By the file that writes them,
 * so that a test can tell when a file is missing here.
 */
export const expiringCollections: Readonly<Record<string, readonly string[]>> = {
  'apps/console/src/bulk-operations.ts': ['operations'],
  'apps/console/src/bulk-worker.ts': ['operations'],
  'libs/channels/src/web/web-feed.ts': ['feed'],
  'libs/conversations/src/commands.ts': ['signals'],
  'libs/conversations/src/inbox.ts': ['notices', 'signals', 'turns'],
  'libs/conversations/src/message-limits.ts': ['allowances'],
  'libs/jobs/src/schedule-firing.ts': ['schedules'],
  'libs/jobs/src/settlement.ts': ['signals'],
  'libs/service/src/alerts.ts': ['alerts'],
};
