import type { Transaction } from '@rockpool/cloud';
import { isEnded, jobPaths, type JobRecord, type StepRecord } from './job-records.js';

/** Within the transaction that ends a job, before its writes: what ends the step that had not ended. One that was begun and is not on record as done may have been done. */
export async function cutOpenStep(transaction: Transaction, { tenantId, jobId, steps }: JobRecord, now: number): Promise<() => void> {
  const path = jobPaths.step(tenantId, jobId, steps);
  const step = steps > 0 ? (await transaction.get<StepRecord>(path))?.data : undefined;
  return () => {
    if (!step || isEnded(step)) return;
    const error = { code: 'outcome_unknown', message: 'the job ended while it was being done' };
    const cut: StepRecord = { ...step, state: 'cancelled', finishedAt: now, ...(step.state === 'running' && { error }) };
    transaction.set(path, cut);
  };
}
