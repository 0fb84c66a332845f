import { alice, JobBench } from './testing/job-bench.js';
import { afterEach, expect, it } from '@jest/globals';
import type { Transaction } from '@rockpool/cloud';
import { JobClaims } from './job-claims.js';
import { JobPlaces } from './job-places.js';
import { jobPaths } from './job-records.js';
import { JobTasks } from './job-tasks.js';
import { Life, MortalDocuments } from './testing/mortal.js';

let bench: JobBench;
afterEach(() => bench.close());

/** Lets something happen once between what a process has read and its transaction. */
class InterruptedDocuments extends MortalDocuments {
  constructor(
    documents: ConstructorParameters<typeof MortalDocuments>[0],
    private between: (() => Promise<unknown>) | undefined,
  ) {
    super(documents, new Life('slow'));
  }
  override async transaction<Result>(run: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    const between = this.between;
    this.between = undefined;
    await between?.();
    return super.transaction(run);
  }
}

// Two deliveries of one task; the process of the first died right after its claim. The second had chosen another place by then, and the first one's stayed taken.
it('a job that is claimed from a holder who died after places were looked at has one place', async () => {
  bench = await JobBench.open({ kinds: [], limits: { min: 0, max: 0 }, shared: 0 });
  const { documents, clock } = bench.engine;
  const tasks = new JobTasks(bench.engine.tasks, { url: 'http://127.0.0.1:9/', audience: 'agent-host' });
  const claimsOf = (holder: string, over = documents) => {
    const places = new JobPlaces(over, { shared: 0, limitsOf: () => ({ min: 100, max: 100 }) }, clock);
    return new JobClaims(over, places, tasks, { holder, mayBeAlive: () => false }, clock);
  };
  const { jobId } = await bench.begin({ kind: 'any' });
  const task = { tenantId: alice, jobId, slice: 1 };
  const slow = claimsOf('slow', new InterruptedDocuments(documents, () => claimsOf('dead').claim(task)));
  const claimed = await slow.claim(task);
  if (claimed.kind !== 'claimed') throw new Error('it was to be claimed');
  const { items } = await documents.query<{ n: number }>({ from: { collection: jobPaths.places(alice) } });
  expect(items.map(({ data }) => data.n)).toEqual([claimed.claim.job.place!.own]);
});
