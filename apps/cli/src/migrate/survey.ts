import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoppedEngine } from '@rockpool/cloud-embedded';
import { queues } from '@rockpool/contracts';
import { kindOf } from './carried.js';

const pageSize = 500;
/** Paths, ids and reasons that are named of each sort. */
const shownOfEach = 10;

/** What a data folder holds, and what keeps it from being moved. */
export interface Survey {
  /** Documents by what they are: `tenants/<>/turns`. */
  readonly documents: Readonly<Record<string, number>>;
  readonly tenants: number;
  readonly secrets: number;
  readonly blobs: { readonly count: number; readonly bytes: number };
  readonly openTurns: number;
  /** Still under way: to be done by this instance before it is moved. */
  readonly unfinished: readonly string[];
  /** Given up, and not moved: they stay in the folder. */
  readonly leftBehind: readonly string[];
  /** What the operator should know. */
  readonly notes: readonly string[];
}

/** Looks through everything. `spoolFolder`: where events are kept that could not be stored. */
export async function surveyOf(source: StoppedEngine, spoolFolder: string): Promise<Survey> {
  const found = countDocuments(source);
  const { waiting, dead, tasks } = await standingOf(source);
  const spool = await spoolOf(spoolFolder);
  const notes = [
    ...(found.openTurns > 0
      ? [
          `not answered yet: ${several(found.openTurns, 'message')}. They are moved, and the scheduler's sweep over there wakes their conversations`,
        ]
      : []),
    ...(tasks > 0
      ? [`not moved: ${several(tasks, 'task')} of jobs and schedules. The scheduler's sweep over there makes them anew from the records`]
      : []),
  ];
  return {
    documents: found.documents,
    tenants: found.documents['tenants'] ?? 0,
    secrets: (await source.secretNames()).length,
    blobs: await countBlobs(source),
    openTurns: found.openTurns,
    unfinished: [...waiting, ...found.running, ...spool.waiting],
    leftBehind: [...dead, ...spool.refused],
    notes,
  };
}

function countDocuments(source: StoppedEngine) {
  const documents: Record<string, number> = {};
  const running: string[] = [];
  let runningCount = 0;
  let openTurns = 0;
  let after: string | undefined;
  for (;;) {
    const page = source.documents({ limit: pageSize, ...(after !== undefined && { after }) });
    for (const { path, collection, data } of page) {
      const kind = kindOf(collection);
      documents[kind] = (documents[kind] ?? 0) + 1;
      if (kind !== 'tenants/<>/turns' && kind !== 'tenants/<>/jobs') continue;
      const { state, open } = data as { state?: unknown; open?: unknown };
      if (open === true && kind === 'tenants/<>/turns') openTurns++;
      if (state !== 'running' && state !== 'answered') continue;
      if (++runningCount <= shownOfEach) running.push(`${path} is ${state === 'running' ? 'being worked on' : 'being sent'}`);
    }
    after = page.at(-1)?.path;
    if (after === undefined) break;
  }
  if (runningCount > shownOfEach) running.push(`and ${runningCount - shownOfEach} more like these`);
  return { documents, running, openTurns };
}

async function standingOf(source: StoppedEngine) {
  const { messages, tasks } = await source.standing();
  const waiting = messages
    .filter((subscription) => subscription.waiting > 0)
    .map(({ subscription, waiting: count }) => `not delivered: ${several(count, 'message')} of ${subscription}`);
  const dead = messages.flatMap(({ subscription, deadLetters, letters }) => {
    if (deadLetters === 0) return [];
    const named = letters
      .slice(0, shownOfEach)
      .map(({ attributes, messageId, reason }) => `${attributes['ce-id'] ?? messageId} (${reason})`);
    const more = deadLetters > named.length ? `, and ${deadLetters - named.length} more` : '';
    return [`${several(deadLetters, 'dead letter')} of ${subscription}: ${named.join(', ')}${more}`];
  });
  // Records of jobs and schedules say what is to come: the sweep makes a task anew that is not there in time. What else a task is for nobody knows.
  const unknown = tasks.filter(({ queue, due, later }) => !(queue in queues) && due + later > 0);
  waiting.push(...unknown.map(({ queue, due, later }) => `not done: ${several(due + later, 'task')} of ${queue}`));
  const known = tasks.filter(({ queue }) => queue in queues).reduce((sum, { due, later }) => sum + due + later, 0);
  return { waiting, dead, tasks: known };
}

async function countBlobs({ blobs }: StoppedEngine) {
  let [count, bytes] = [0, 0];
  let cursor: string | undefined;
  do {
    const page = await blobs.list('', { limit: 1000, ...(cursor !== undefined && { cursor }) });
    for (const { sizeBytes } of page.items) [count, bytes] = [count + 1, bytes + sizeBytes];
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return { count, bytes };
}

/** Events in the ingress's spool: those on their way into the bus, and those it refused. */
async function spoolOf(folder: string): Promise<{ waiting: string[]; refused: string[] }> {
  const size = (name: string) =>
    stat(join(folder, name)).then(
      (file) => file.size,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return 0;
        throw error;
      },
    );
  const [arriving, leaving, refused] = await Promise.all(['arriving.jsonl', 'leaving.jsonl', 'refused.jsonl'].map(size));
  return {
    waiting: arriving! + leaving! > 0 ? [`events lie in ${folder} that were never stored`] : [],
    refused: refused! > 0 ? [`events that nothing could be made of, in ${join(folder, 'refused.jsonl')}`] : [],
  };
}

const several = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
