import type { JobDetails } from '@rockpool/console';
import type { ConversationId, TenantId } from '@rockpool/contracts';
import type { JobRecord, JobState } from '@rockpool/jobs';
import { parseJob, parseTenantId } from './arguments.js';
import { CommandFailure, exitCodes } from './exit-codes.js';
import { withInstance, type Connection, type InstanceOptions } from './instance.js';
import { withInterrupts } from './interrupts.js';
import { jobTimeline } from './job-timeline.js';
import { nameOf, progressText, stateText } from './job-text.js';
import { LivePicture } from './live-picture.js';
import { color, duration, print, printable, printJson, shortened, table } from './output.js';

const redrawMs = 1_000;

export interface ListOptions extends InstanceOptions {
  readonly state?: JobState;
  readonly open?: true;
  readonly conversation?: string;
  readonly limit: number;
  readonly cursor?: string;
}

export interface ShowOptions extends InstanceOptions {
  readonly watch?: true;
}

export interface CancelOptions extends InstanceOptions {
  readonly reason: string;
}

export interface RetryOptions extends InstanceOptions {
  readonly tokens?: number;
  readonly steps?: number;
  readonly cost?: number;
}

/** Prints the latest jobs of a tenant, or of all. */
export async function listJobs(tenant: string | undefined, options: ListOptions): Promise<void> {
  const { state, open, conversation, limit, cursor } = options;
  const page = await withInstance(options, ({ controlPlane }) =>
    controlPlane.jobs.list({
      ...(tenant !== undefined && { tenantId: parseTenantId(tenant) }),
      ...(state && { state }),
      ...(open && { open }),
      ...(conversation !== undefined && { conversationId: conversation as ConversationId }),
      limit,
      ...(cursor !== undefined && { cursor }),
    }),
  );
  if (options.json) return printJson(page);
  if (page.items.length === 0) return print('There are no such jobs.');
  print(table(['JOB', 'STATE', 'AGE', 'TOOK', 'STEPS', 'TITLE', 'PROGRESS OR REASON'], page.items.map(rowOf)));
  if (page.nextCursor !== undefined) print(color('dim', `There is more: --cursor ${page.nextCursor}`));
}

/** Prints one job as a timeline, or follows it to its end. */
export async function showJob(first: string, second: string | undefined, options: ShowOptions): Promise<void> {
  const named = parseJob(first, second);
  await withInstance(options, async (connection) => {
    if (options.watch && !isAsleep(connection)) return watch(connection, named, options);
    const details = await connection.controlPlane.jobs.show(named.tenantId, named.job);
    if (options.json) printJson(details);
    else print(drawn(details));
    if (options.watch && details.job.open)
      throw new CommandFailure(exitCodes.unavailable, `No instance runs on this data folder, so there is nothing to follow: npm start`);
    if (options.watch) tellEnd(details.job);
  });
}

/** Ends a job; the command ends with 1 when it had ended otherwise before. */
export async function cancelJob(first: string, second: string | undefined, options: CancelOptions): Promise<void> {
  const { tenantId, job: name } = parseJob(first, second);
  const job = await withInstance(options, ({ controlPlane }) => controlPlane.jobs.cancel(tenantId, name, options.reason));
  if (job.state !== 'cancelled') process.exitCode = exitCodes.problem;
  if (options.json) return printJson(job);
  print(job.state === 'cancelled' ? `${nameOf(job)} is cancelled.` : `${nameOf(job)} was over before: it ${job.state}.`);
}

/** Has a job that ended go on. */
export async function retryJob(first: string, second: string | undefined, options: RetryOptions): Promise<void> {
  const { tenantId, job: name } = parseJob(first, second);
  const { tokens, steps, cost: costUsd } = options;
  await withInstance(options, async (connection) => {
    const budget = {
      ...(tokens !== undefined && { tokens }),
      ...(steps !== undefined && { steps }),
      ...(costUsd !== undefined && { costUsd }),
    };
    goesOn(connection, await connection.controlPlane.jobs.retry(tenantId, name, budget), options);
  });
}

/** Gives a job the answer that it waits for. */
export async function answerJob(given: string, words: readonly string[], options: InstanceOptions): Promise<void> {
  const { tenantId, job: name } = parseJob(given);
  await withInstance(options, async (connection) =>
    goesOn(connection, await connection.controlPlane.jobs.answer(tenantId, name, words.join(' ')), options),
  );
}

/** A person's terminal has the timeline drawn anew in place; elsewhere there is a line for each change, and the timeline at the end. */
async function watch(
  { controlPlane }: Connection,
  { tenantId, job }: { readonly tenantId: TenantId; readonly job: string },
  { json }: ShowOptions,
): Promise<void> {
  const picture = !json && process.stdout.isTTY ? new LivePicture(process.stdout) : undefined;
  let latest: JobDetails | undefined;
  let line = '';
  const redraw = setInterval(() => latest && picture?.draw(drawn(latest)), redrawMs);
  try {
    await withInterrupts(async (signal) => {
      for await (const details of controlPlane.jobs.follow(tenantId, job, signal)) {
        latest = details;
        picture?.draw(drawn(details));
        const now = lineOf(details);
        if (!picture && !json && now !== line) print((line = now));
      }
    });
  } finally {
    clearInterval(redraw);
  }
  if (!latest) return;
  if (json) printJson(latest);
  else if (!latest.job.open) {
    picture?.clear();
    print(drawn(latest));
  } else print(color('dim', `${picture ? '\n' : ''}It goes on. To follow it again: rockpool jobs show ${nameOf(latest.job)} --watch`));
  if (!latest.job.open) tellEnd(latest.job);
}

function tellEnd({ state }: JobRecord): void {
  if (state !== 'succeeded') process.exitCode = exitCodes.problem;
}

function goesOn(connection: Connection, job: JobRecord, { json }: InstanceOptions): void {
  if (json) return printJson(job);
  print(`${nameOf(job)} goes on. To follow it: rockpool jobs show ${nameOf(job)} --watch`);
  if (isAsleep(connection)) print(color('yellow', 'No instance runs on this data folder: it goes on once one does (npm start).'));
}

/** The engine was opened here because nobody else has it: nothing runs. */
function isAsleep({ url, config }: Connection): boolean {
  return url === undefined && config.ROCKPOOL_ENGINE === 'embedded';
}

function drawn(details: JobDetails): string {
  const { columns = 100, isTTY } = process.stdout;
  return jobTimeline(details, { width: columns, color: isTTY && process.stdout.hasColors(), now: Date.now() });
}

function rowOf(job: JobRecord): string[] {
  const { title, state, createdAt, startedAt, finishedAt, steps, reason } = job;
  return [
    nameOf(job),
    state,
    duration(Date.now() - createdAt),
    startedAt === undefined ? '' : duration((finishedAt ?? Date.now()) - startedAt),
    String(steps),
    shortened(title, 40),
    shortened(job.open ? [stateText(job), progressText(job)].filter((text) => text && text !== state).join(', ') : (reason ?? ''), 60),
  ];
}

function lineOf({ job, steps }: JobDetails): string {
  const step = steps.at(-1);
  const at = step ? `step ${step.n} ${printable(step.name)} ${step.state}` : '';
  return [stateText(job), at, progressText(job)].filter(Boolean).join('; ');
}
