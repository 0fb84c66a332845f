import { describe, expect, it } from '@jest/globals';
import type { TenantId } from '@rockpool/contracts';
import type { TurnRecord } from '@rockpool/conversations';
import type { JobPlatform, JobRecord } from '@rockpool/jobs';
import { createLogger } from '@rockpool/service';
import { TurnReports } from './turn-reports.js';

const alice = 'alice' as TenantId;
const promoted = { tenantId: alice, eventId: 'telegram:1:update:7', state: 'done', attempts: 1, promoted: true } as unknown as TurnRecord;

/** The reports of turns beside a job as it is stored by now, or none. */
function reportsOn(job?: Partial<JobRecord>, failure?: Error) {
  const shown: unknown[] = [];
  const asked: string[] = [];
  const told = Promise.withResolvers<void>();
  const jobs = {
    jobs: {
      find: async (tenantId: string, id: string) => {
        asked.push(`${tenantId} ${id}`);
        // Whatever is made of it is made within this turn of the event loop.
        setImmediate(told.resolve);
        if (failure) throw failure;
        return job;
      },
    },
    outcomes: { changed: async (record: unknown) => void shown.push(record) },
  } as unknown as Pick<JobPlatform, 'jobs' | 'outcomes'>;
  const lines: string[] = [];
  const log = createLogger({ service: 'spec', level: 'info', format: 'json', destination: { write: (line) => void lines.push(line) } });
  return { reports: new TurnReports(jobs, log), shown, asked, told: told.promise, lines };
}

describe('the end of a turn that goes on as a job', () => {
  it('shows how the job ended, when it was over before the answer that speaks of it was out', async () => {
    const job = { open: false, state: 'succeeded' } as Partial<JobRecord>;
    const { reports, shown, asked, told } = reportsOn(job);
    reports.ended(promoted);
    await told;
    expect(asked).toEqual(['alice telegram:1:update:7']);
    expect(shown).toEqual([job]);
  });

  it('shows how far the job is', async () => {
    const job = { open: true, state: 'running', progress: { text: '2 of 5', at: 1 } } as unknown as Partial<JobRecord>;
    const { reports, shown, told } = reportsOn(job);
    reports.ended(promoted);
    await told;
    expect(shown).toEqual([job]);
  });

  it.each([
    ['that has said nothing yet', { open: true, state: 'running' } as Partial<JobRecord>],
    ['that is gone', undefined],
  ])('leaves the answer as it is for a job %s', async (_what, job) => {
    const { reports, shown, told } = reportsOn(job);
    reports.ended(promoted);
    await told;
    expect(shown).toEqual([]);
  });

  it('is not held up by a job that cannot be read, which is put on record', async () => {
    const { reports, told, lines } = reportsOn(undefined, new Error('no documents'));
    reports.ended(promoted);
    await told;
    expect(lines.join('')).toContain('the status of a job could not be shown');
  });
});

it('a turn without a job asks after none', () => {
  const { reports, asked } = reportsOn();
  reports.ended({ ...promoted, promoted: undefined } as unknown as TurnRecord);
  expect(asked).toEqual([]);
});
