import type { Json } from '@rockpool/cloud';
import type { JobBudget, JobRecord } from '@rockpool/jobs';
import { costText, durationText } from '@rockpool/service';
import { printable } from './output.js';

const longestResult = 500;

/** A job as commands take it: `alice/12`, `alice/12/research`. */
export function nameOf({ tenantId, label }: JobRecord): string {
  return `${tenantId}/${label}`;
}

/** Its state with what it waits for, in a few words. */
export function stateText(job: JobRecord): string {
  const { state, waiting, blocked, after = [], line } = job;
  if (state === 'queued' && blocked) return `queued: waits for ${after.join(', ')}`;
  if (state === 'queued' && line !== undefined) return 'queued: waits for a place';
  if (state !== 'waiting' || !waiting) return state;
  const what = { time: 'a time', retry: 'its next try', message: 'an answer', builders: 'its builders', decision: 'a decision' }[
    waiting.for
  ];
  const until = 'until' in waiting && waiting.until !== undefined ? `, until ${new Date(waiting.until).toISOString()}` : '';
  return `waiting for ${what}${until}`;
}

/** How far it says it is: `40 %: reading the second page`; empty when it says nothing. */
export function progressText({ progress }: JobRecord): string {
  if (!progress) return '';
  return `${progress.fraction === undefined ? '' : `${Math.round(progress.fraction * 100)} %: `}${printable(progress.text)}`;
}

/** What a job asks, and how to answer it: a line each; none when it asks nothing. */
export function questionLines(job: JobRecord): string[] {
  const { waiting } = job;
  if (waiting?.for === 'decision')
    return [`It asks: ${printable(waiting.question)}`, `To answer: rockpool jobs answer ${nameOf(job)} done (or repeat, or failed)`];
  if (waiting?.for !== 'message') return [];
  return [
    ...(waiting.question === undefined ? [] : [`It asks: ${printable(waiting.question)}`]),
    `To answer: rockpool jobs answer ${nameOf(job)} <words>`,
  ];
}

/** What one wants to know of a job before its steps: names and values of those that there are. */
export function jobFacts(job: JobRecord, now: number): [name: string, value: string][] {
  const { kind, title, finishedAt, createdAt, retries, traceparent, deadlineAt, open } = job;
  const lasted = durationText((finishedAt ?? now) - createdAt);
  const facts: [string, string][] = [
    ['job', nameOf(job)],
    ['title', title],
    ['kind', kind],
    ['state', `${stateText(job)}, ${open ? `for ${lasted} so far` : `after ${lasted}`}`],
    ['conversation', job.conversationId ?? ''],
    ['progress', open ? progressText(job) : ''],
    ['used', usedText(job)],
    ['began', new Date(createdAt).toISOString()],
    ['deadline', open ? new Date(deadlineAt).toISOString() : ''],
    ['retried', retries === 0 ? '' : retries === 1 ? 'once' : `${retries} times`],
    ['reason', job.reason ?? ''],
    ['result', job.result === undefined ? '' : resultText(job.result)],
    ['trace', traceparent === undefined ? '' : `rockpool trace ${traceparent.split('-')[1]}`],
  ];
  return facts.filter(([, value]) => value !== '').map(([name, value]) => [name, printable(value)]);
}

function usedText({ spent, budget }: JobRecord): string {
  const part = (name: keyof JobBudget, text: (amount: number) => string) =>
    budget[name] === undefined ? text(spent[name]) : `${text(spent[name])} of ${text(budget[name])}`;
  const count = (amount: number) => amount.toLocaleString('en');
  return [`${part('steps', count)} steps`, `${part('tokens', count)} tokens`, part('costUsd', costText)].join(', ');
}

function resultText(result: Json): string {
  const text = typeof result === 'string' ? result : JSON.stringify(result);
  return text.length > longestResult ? `${text.slice(0, longestResult).toWellFormed()}… (--json shows more)` : text;
}
