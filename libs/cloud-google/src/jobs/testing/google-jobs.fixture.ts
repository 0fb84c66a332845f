import { atCrashPoints } from './crashes.fixture.js';
import { setImmediate } from 'node:timers/promises';
import type { Documents, Tasks } from '@rockpool/cloud';
import { eventually, ManualClock, TaskReceiver } from '@rockpool/cloud/testing';
import { runJobSlice, type JobId, type TenantId } from '@rockpool/contracts';
import {
  JobKind,
  JobKinds,
  JobOutcomes,
  jobPaths,
  jobPlatform,
  jobQueues,
  JobTasks,
  outcomeEventId,
  type Decision,
  type JobPlatform,
  type JobRecord,
  type JobStart,
  type JobView,
  type SliceResult,
  type StepAction,
} from '@rockpool/jobs';
import { startCloudTasksFake, startMetadataServer, type CloudTasksFake, type MetadataServer } from '@rockpool/testkit';
import { CloudTasks } from '../../cloud-tasks/cloud-tasks.js';
import type { FirestoreDocuments } from '../../firestore/firestore-documents.js';

export const alice = 'alice' as TenantId;
export const minute = 60_000;
export const hour = 60 * minute;

const projectId = 'rockpool-test';
const never = new Promise<never>(() => undefined);

/** A kind of job whose rules and actions a test writes down. */
export class ScriptedKind extends JobKind {
  constructor(
    readonly name: string,
    private readonly decide: (view: JobView) => Decision,
    private readonly actions: Record<string, StepAction> = {},
  ) {
    super();
  }
  next(view: JobView): Decision {
    return this.decide(view);
  }
  action(name: string): StepAction | undefined {
    return this.actions[name];
  }
}

/** What was said of jobs' ends, each once. */
class Heard extends JobOutcomes {
  readonly ends = new Set<string>();
  async ended(job: JobRecord): Promise<void> {
    this.ends.add(outcomeEventId(job));
  }
  async asks(): Promise<void> {}
  async changed(): Promise<void> {}
}

/** The life of a process that a test ends: what it still calls is never answered. */
class Life {
  alive = true;
  readonly #died = Promise.withResolvers<void>();

  end(): void {
    this.alive = false;
    this.#died.resolve();
  }
  get died(): Promise<void> {
    return this.#died.promise;
  }
}

/** An agent host on Firestore's emulator and Cloud Tasks' stand-in, on one clock that stands still. The stand-in delivers a third of its tasks twice, and in any order. */
export class GoogleJobs {
  readonly heard = new Heard();
  readonly results: SliceResult[] = [];
  /** What a slice took, by the clock, from the first request to its answer. */
  readonly sliceMs: number[] = [];
  kills = 0;
  #life!: Life;
  #platform!: JobPlatform;
  #underWay = 0;
  #elapsing = 0;

  private constructor(
    readonly clock: ManualClock,
    private readonly documents: FirestoreDocuments,
    private readonly tasks: CloudTasks,
    private readonly fake: CloudTasksFake,
    private readonly issuer: MetadataServer,
    private readonly receiver: TaskReceiver,
    private readonly kinds: readonly JobKind[],
  ) {
    this.start();
    receiver.answerWith(({ body }) => this.receive(body));
  }

  static async open(documents: FirestoreDocuments, kinds: readonly JobKind[]): Promise<GoogleJobs> {
    // Beyond the time of the machine: documents expire by that.
    const clock = new ManualClock(Date.parse('2030-03-01T12:00:00Z'));
    const sleep = (ms: number, signal?: AbortSignal) => sleepOn(clock, ms, signal);
    const ticking = { now: clock.now, sleep };
    const issuer = await startMetadataServer({ accounts: [], clock: ticking });
    const fake = await startCloudTasksFake({ clock: ticking, mint: issuer.mint, duplicateProbability: 0.33, shuffled: true });
    const tasks = await CloudTasks.open({
      projectId,
      region: 'europe-west1',
      queues: jobQueues,
      serviceAccount: `agent-host@${projectId}.iam.gserviceaccount.com`,
      createTopology: true,
      endpoint: fake.host,
      now: clock.now,
    });
    const receiver = await TaskReceiver.listen(clock.now);
    return new GoogleJobs(clock, documents, tasks, fake, issuer, receiver, kinds);
  }

  /** Asks for a job, as often as it takes: a process that dies over it is asked again. */
  async begin(start: Omit<JobStart, 'jobId' | 'title' | 'input'>, id = 'j1'): Promise<void> {
    for (;;) {
      const life = this.#life;
      const asked = this.#platform.jobs.start(alice, { jobId: id as JobId, title: id, input: null, ...start });
      if (await Promise.race([asked.then(() => true, () => false), life.died.then(() => false)])) return; // prettier-ignore
    }
  }

  /** Read beside the process: what that has under way is waited for before time goes on. */
  async job(id = 'j1'): Promise<JobRecord> {
    return (await this.documents.get<JobRecord>(jobPaths.job(alice, id as JobId)))!.data;
  }

  /** Ends the process as `kill -9` does, and starts the next one. */
  kill(): void {
    this.kills++;
    this.#life.end();
    this.start();
  }

  /** Kills the process whenever `when` says so at a crash point. */
  killAt(when: (point: string) => boolean): void {
    atCrashPoints((point) => {
      if (!when(point)) return;
      this.kill();
      throw new Error(`killed ${point}`);
    });
  }

  /** Lets time pass in a step's name; before each next moment, what the last one woke has been written. */
  async elapse(milliseconds: number): Promise<void> {
    this.#elapsing++;
    for (let left = milliseconds; left > 0; left -= 10_000) {
      this.clock.advance(Math.min(left, 10_000));
      await this.written();
    }
    this.#elapsing--;
  }

  /** Lets time pass, `stepMs` at a time, with a sweep each minute, until the job has ended. While a step takes its time, time is its own. */
  async ended(id = 'j1', stepMs = 2_000): Promise<JobRecord> {
    let swept = this.clock.now();
    return eventuallyFor(180_000, `the end of ${id}`, async () => {
      const job = await this.job(id);
      if (!job.open && !job.unsettled) return job;
      if (this.#elapsing > 0) return undefined;
      this.clock.advance(stepMs);
      await this.written();
      if (this.clock.now() - swept < minute) return undefined;
      swept = this.clock.now();
      await Promise.race([this.#platform.sweep.run(), this.#life.died]);
      return undefined;
    });
  }

  /** Resolves when no task is left: neither a second delivery, nor one that waits to be tried again. */
  async quiet(): Promise<void> {
    await eventuallyFor(60_000, 'the end of all tasks', async () => {
      const { pending } = await this.tasks.stats('job-slices-normal');
      if (pending > 0 && this.#elapsing === 0) this.clock.advance(minute);
      return pending === 0;
    });
  }

  async close(): Promise<void> {
    atCrashPoints();
    this.#life.end();
    await this.tasks.close();
    await this.fake.stop();
    await this.issuer.stop();
    await this.receiver.close();
    await this.documents.close();
  }

  private start(): void {
    const life = (this.#life = new Life());
    this.#platform = jobPlatform({
      documents: this.mortal<Documents>(this.documents, life),
      tasks: new JobTasks(this.mortal<Tasks>(this.tasks, life), { url: `${this.receiver.url}/run`, audience: 'agent-host' }),
      kinds: new JobKinds(this.kinds),
      outcomes: this.heard,
      leases: { holder: `host-${this.kills}` },
      places: { shared: 4, limitsOf: () => ({ min: 4, max: 8 }) },
      clock: this.clock,
      onWarning: () => undefined,
    });
  }

  /** What is under way when the process dies happens or does not, and nobody in it learns which. */
  private mortal<Port extends object>(port: Port, life: Life): Port {
    const guard = async (call: () => unknown): Promise<unknown> => {
      if (!life.alive) return never;
      this.#underWay++;
      const [settled] = await Promise.allSettled([call()]);
      this.#underWay--;
      if (!life.alive) return never;
      if (settled.status === 'rejected') throw settled.reason;
      return settled.value;
    };
    return new Proxy(port, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (...args: unknown[]) => guard(() => value.apply(target, args)) : value;
      },
    });
  }

  private async written(): Promise<void> {
    do await setImmediate();
    while (this.#underWay > 0);
  }

  private async receive(body: Buffer): Promise<{ status: number; headers?: Record<string, string> }> {
    const life = this.#life;
    const began = this.clock.now();
    const task = runJobSlice.parse(JSON.parse(body.toString()));
    const signal = new AbortController().signal;
    const slice = this.#platform.runner.slice(task, { signal, deadline: began + 30 * minute });
    const answered = await Promise.race([slice.catch((error: unknown) => error as Error), life.died.then(() => undefined)]);
    if (!life.alive || answered === undefined) return { status: 502 };
    if (answered instanceof Error) return { status: 500 };
    this.results.push(answered);
    this.sliceMs.push(this.clock.now() - began);
    if (answered.kind === 'held') return { status: 503, headers: { 'retry-after': String(Math.ceil(answered.retryAfterMs / 1000)) } };
    return { status: answered.kind === 'given-back' ? 503 : 200 };
  }
}

async function eventuallyFor<T>(timeoutMs: number, what: string, ask: () => Promise<T | false | undefined>): Promise<T> {
  const giveUpAt = Date.now() + timeoutMs;
  for (;;) {
    // Each part has the usual patience; the whole, of which the parts are many, its own.
    const answer = await eventually(what, async () => ({ is: await ask() }));
    if (answer.is !== false && answer.is !== undefined) return answer.is;
    if (Date.now() > giveUpAt) throw new Error(`${what} did not come true within ${timeoutMs} ms`);
  }
}

function sleepOn(clock: ManualClock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const callOff = clock.wake(clock.now() + milliseconds, done);
    function done(): void {
      callOff?.();
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done, { once: true });
  });
}
