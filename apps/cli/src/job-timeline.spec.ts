import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import type { JobDetails, JobTree } from '@rockpool/console';
import type { ConversationId, JobId, TenantId } from '@rockpool/contracts';
import type { JobRecord, StepRecord } from '@rockpool/jobs';
import { jobTimeline } from './job-timeline.js';

const start = Date.UTC(2030, 2, 1, 12);
const second = 1_000;
const minute = 60 * second;
const alice = 'alice' as TenantId;

function job(label: string, more: Partial<JobRecord> = {}): JobRecord {
  return {
    ...{ tenantId: alice, jobId: label as JobId, label, kind: 'agent', title: `job ${label}`, input: null, priority: 'normal' },
    ...{
      state: 'running',
      open: true,
      slice: 1,
      dueAt: start,
      fence: 1,
      steps: 0,
      deadlineAt: start + 60 * minute,
      allowedMs: 60 * minute,
    },
    ...{ budget: { steps: 1_000 }, spent: { tokens: 0, costUsd: 0, steps: 0 }, stumbles: 0, retries: 0, unsettled: false },
    ...{ createdAt: start, updatedAt: start },
    ...more,
  };
}

function step(n: number, name: string, from: number, until: number | undefined, more: Partial<StepRecord> = {}): StepRecord {
  return {
    ...{ n, kind: 'act', name, input: null, attempts: 1, idempotencyKey: `${n}`, startedAt: start + from },
    ...(until === undefined ? { state: 'running' } : { state: 'succeeded', finishedAt: start + until }),
    ...more,
  };
}

function builder(label: string, more: Partial<JobRecord>, builders: readonly JobTree[] = []): JobTree {
  const parent = { jobId: '12' as JobId, step: 4, key: label.split('/').at(-1)!, attempt: 1 };
  return { job: job(label, { parent, ...more }), builders };
}

const managed: JobDetails = {
  job: job('12', {
    title: 'Compare three\u001b[2J trains',
    conversationId: 'telegram:1:2' as ConversationId,
    state: 'waiting',
    waiting: { for: 'builders' },
    steps: 4,
    budget: { steps: 1_000, tokens: 50_000, costUsd: 1 },
    spent: { steps: 4, tokens: 12_345, costUsd: 0.0421 },
    retries: 1,
    progress: { text: 'two of three', fraction: 0.667, at: start },
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  }),
  steps: [
    step(1, 'read-page', 500, 30_500, { attempts: 3, spent: { tokens: 812, costUsd: 0.0012 } }),
    step(2, 'wait', 30_500, 90_500, { kind: 'wait' }),
    step(3, 'book', 90_500, 92_000, { state: 'failed', error: { code: 'terminal', message: 'sold out' } }),
    step(4, 'delegate', 92_000, undefined, { kind: 'delegate', state: 'waiting' }),
  ],
  builders: [
    builder('12/research', {
      title: 'Research trains',
      state: 'waiting',
      waiting: { for: 'message', question: 'Which class?' },
      progress: { text: 'page 2', fraction: 0.4, at: start },
      startedAt: start + 95_000,
    }),
    builder('12/prices', { title: 'Prices', startedAt: start + 95_000 }, [
      builder('12/prices/night', {
        title: 'Night fares',
        state: 'succeeded',
        open: false,
        startedAt: start + 100_000,
        finishedAt: start + 130_000,
      }),
    ]),
    builder('12/write', { title: 'Write', state: 'queued', blocked: true, after: ['research', 'prices'] }),
  ],
};

const plain = { width: 132, color: false, now: start + 3 * minute };

describe('the timeline of a job', () => {
  it('says what is known, draws each step in its time with its builders below, and tells how to answer', () => {
    expect(jobTimeline(managed, plain)).toBe(
      `job           alice/12
title         Compare three?[2J trains
kind          agent
state         waiting for its builders, for 3m00s so far
conversation  telegram:1:2
progress      67 %: two of three
used          4 of 1,000 steps, 12,345 of 50,000 tokens, $0.0421 of $1.00
began         2030-03-01T12:00:00.000Z
deadline      2030-03-01T13:00:00.000Z
retried       once
trace         rockpool trace 4bf92f3577b34da6a3ce929d0e0e4736

  NO STEP                STATE     TRIES     BEGAN      TOOK
   1 read-page           succeeded     3   +500 ms   30.00 s  ━━━━━                            812 tokens, $0.0012
   2 wait                succeeded        +30.50 s     1m00s       ┄┄┄┄┄┄┄┄┄┄┄
   3 book                failed        1    +1m31s    1.50 s                  ━                terminal: sold out
   4 delegate            waiting            +1m32s     1m28s                  ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
       12/research       waiting       1    +1m35s     1m25s                  ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄  Research trains · 40 %: page 2
         It asks: Which class?
         To answer: rockpool jobs answer alice/12/research <words>
       12/prices         running       1    +1m35s     1m25s                  ━━━━━━━━━━━━━━━  Prices
         12/prices/night succeeded     1    +1m40s   30.00 s                   ━━━━━           Night fares
       12/write          queued                                                                Write · queued: waits for research, …`,
    );
  });

  it('ends with the question of the job itself, and the words for a step that nobody knows of', () => {
    const doubting: JobDetails = {
      job: job('7', { state: 'waiting', waiting: { for: 'decision', question: 'Was “send” done?' }, steps: 1 }),
      steps: [step(1, 'send', 0, undefined, { state: 'unknown', error: { code: 'outcome_unknown', message: 'the line broke' } })],
      builders: [],
    };
    expect(jobTimeline(doubting, plain).split('\n').slice(-3)).toEqual([
      '',
      'It asks: Was “send” done?',
      'To answer: rockpool jobs answer alice/7 done (or repeat, or failed)',
    ]);
  });

  it('is no wider than the terminal but for facts and questions, and leaves colours out where none are wanted', () => {
    for (const width of [80, 100, 200]) {
      const drawn = jobTimeline(managed, { ...plain, width });
      const rows = drawn.split('\n').filter((line) => !/^[a-z]|It asks|To answer/.test(line));
      expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(width);
      expect(stripVTControlCharacters(jobTimeline(managed, { ...plain, width, color: true }))).toBe(drawn);
    }
  });

  it('of one that has ended goes no further than its end, and has its reason, and how many steps are not shown', () => {
    const over: JobDetails = {
      job: job('3', { state: 'failed', open: false, reason: 'no way on', steps: 3, startedAt: start, finishedAt: start + minute }),
      steps: [step(3, 'book', 30_000, undefined)],
      builders: [],
    };
    const lines = jobTimeline(over, { ...plain, now: start + 1_000 * minute }).split('\n');
    expect(lines).toContain('state         failed, after 1m00s');
    expect(lines).toContain('reason        no way on');
    expect(lines.slice(-2)).toEqual([
      '     … 2 earlier steps',
      `   3 book running       1  +30.00 s   30.00 s  ${' '.repeat(16)}${'━'.repeat(16)}`,
    ]);
  });
});
