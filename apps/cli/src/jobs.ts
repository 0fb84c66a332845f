import { conversationId } from '@rockpool/contracts';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { wholeNumber } from './arguments.js';
import { onInstance, type InstanceOptions } from './instance.js';
import type { CancelOptions, ListOptions, RetryOptions, ShowOptions } from './run-jobs.js';

const states = ['queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled'];
const mostSteps = 1_000_000;
const mostTokens = 1_000_000_000;

/** `rockpool jobs`: work that outlives a turn. */
export function registerJobs(program: Command): void {
  const jobs = program.command('jobs').description('long work: list, show as a timeline, cancel, retry, answer');
  const run = () => import('./run-jobs.js');
  onInstance(jobs.command('list [tenant]', { isDefault: true }).description('the latest jobs of a tenant, or of all, newest first'), [
    'rockpool jobs',
    'rockpool jobs list alice --open',
    'rockpool jobs list --state failed --limit 10 --json',
  ])
    .addOption(new Option('--state <state>', 'in this state').choices(states).conflicts('open'))
    .option('--open', 'that have not ended')
    .option('--conversation <id>', 'of this conversation', parseConversation)
    .option('--limit <n>', 'at most so many', (text) => wholeNumber(text, 1, 1000), 50)
    .option('--cursor <cursor>', 'go on where an earlier list ended')
    .action(async (tenant: string | undefined, options: ListOptions) => (await run()).listJobs(tenant, options));
  onInstance(
    jobs.command('show <job> [number]').description('one job: its steps as a timeline, its builders, what it used and what it asks'),
    ['rockpool jobs show alice/12', 'rockpool jobs show alice/12/research', 'rockpool jobs show alice 12 --watch'],
  )
    .option('--watch', 'follow it to its end; ends with 1 when that is not success. Ctrl-C ends the watching, not the job')
    .action(async (job: string, number: string | undefined, options: ShowOptions) => (await run()).showJob(job, number, options));
  onInstance(jobs.command('cancel <job> [number]').description('end a job now, with its builders'), [
    'rockpool jobs cancel alice/12',
    'rockpool jobs cancel alice/12 --reason "the offer is over"',
  ])
    .option('--reason <words>', 'why; its conversation is told', 'an operator cancelled it')
    .action(async (job: string, number: string | undefined, options: CancelOptions) => (await run()).cancelJob(job, number, options));
  onInstance(
    jobs
      .command('retry <job> [number]')
      .description('have a failed or cancelled job go on where it ended, with its time anew; what is given comes on top of what it used'),
    ['rockpool jobs retry alice/12', 'rockpool jobs retry alice/12 --tokens 50000 --steps 100 --cost 0.50'],
  )
    .option('--tokens <n>', 'so many more tokens', (text) => wholeNumber(text, 1, mostTokens))
    .option('--steps <n>', 'so many more steps', (text) => wholeNumber(text, 1, mostSteps))
    .option('--cost <usd>', 'so many more US dollars', parseUsd)
    .action(async (job: string, number: string | undefined, options: RetryOptions) => (await run()).retryJob(job, number, options));
  onInstance(
    jobs
      .command('answer <job> <words...>')
      .description('tell a job what it asks for; where nobody knows whether a step was done: done, repeat or failed'),
    ['rockpool jobs answer alice/12 second class', 'rockpool jobs answer alice/12/research done'],
  ).action(async (job: string, words: string[], options: InstanceOptions) => (await run()).answerJob(job, words, options));
}

function parseConversation(text: string): string {
  const parsed = conversationId.safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError('rockpool inbox show prints conversations');
  return parsed.data;
}

function parseUsd(text: string): number {
  const usd = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || usd <= 0) throw new InvalidArgumentError('an amount such as 0.50');
  return usd;
}
