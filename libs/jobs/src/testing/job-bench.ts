import './crashes.js';
import type { Json } from '@rockpool/cloud';
import {
  runJobSlice,
  type ConversationId,
  type CrashPoint,
  type EventId,
  type JobId,
  type RunJobSlice,
  type TenantId,
} from '@rockpool/contracts';
import { eventually } from '@rockpool/cloud/testing';
import { JobKind, JobKinds, type Decision, type JobView, type StepAction, type StepContext } from '../job-kind.js';
import { JobOutcomes, outcomeEventId, questionEventId } from '../job-outcomes.js';
import type { ConcurrencyLimits } from '../job-places.js';
import { jobPlatform, type JobPlatform } from '../job-platform.js';
import { jobPaths, type JobRecord, type StepRecord } from '../job-records.js';
import type { SliceResult } from '../job-runner.js';
import { JobTasks } from '../job-tasks.js';
import type { JobStart } from '../jobs.js';
import { atCrashPoints } from './crashes.js';
import { openTestEngine, type TestEngine } from './engine.js';
import { Life, MortalDocuments, MortalTasks } from './mortal.js';

export const alice = 'alice' as TenantId;
export const chat = 'web:alice:1' as ConversationId;
export const minute = 60_000;
export const hour = 60 * minute;

/** A kind of job whose rules and actions a test writes down. */
export class ScriptedKind extends JobKind {
  constructor(
    readonly name: string,
    private readonly decide: (view: JobView) => Decision,
    readonly actions: Record<string, StepAction> = {},
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

/** Does one action after the other and succeeds with their outputs. */
export function sequence(name: string, actions: readonly string[], does: Record<string, StepAction>): ScriptedKind {
  return new ScriptedKind(
    name,
    ({ steps }) =>
      steps.length < actions.length
        ? { do: 'act', action: actions[steps.length]!, input: steps.length + 1 }
        : { do: 'succeed', result: steps.map((step) => step.output ?? null) },
    does,
  );
}

/** What was said to people, each thing once, in order. */
class HeardOutcomes extends JobOutcomes {
  readonly heard = new Map<EventId, JobRecord>();
  readonly shown: JobRecord[] = [];
  tellings = 0;

  async ended(job: JobRecord): Promise<void> {
    this.tellings++;
    if (!this.heard.has(outcomeEventId(job))) this.heard.set(outcomeEventId(job), job);
  }
  async asks(job: JobRecord): Promise<void> {
    this.tellings++;
    if (!this.heard.has(questionEventId(job))) this.heard.set(questionEventId(job), job);
  }
  async changed(job: JobRecord): Promise<void> {
    this.shown.push(job);
  }
}

/** The outside world, which does a keyed effect once and notes every other. */
class World {
  readonly keyed = new Map<string, number>();
  readonly unkeyed: string[] = [];
  /** How often each step's action was begun. */
  readonly begun = new Map<string, number>();

  begin({ jobId, step }: StepContext): void {
    const key = `${jobId}#${step}`;
    this.begun.set(key, (this.begun.get(key) ?? 0) + 1);
  }
  /** Asked again with the same key, it changes nothing. */
  once({ idempotencyKey }: StepContext): void {
    this.keyed.set(idempotencyKey, (this.keyed.get(idempotencyKey) ?? 0) + 1);
  }
  get repeated(): number {
    return [...this.begun.values()].reduce((sum, times) => sum + times - 1, 0);
  }
}

export interface JobBenchOptions {
  readonly kinds: readonly JobKind[];
  readonly limits?: ConcurrencyLimits;
  readonly shared?: number;
  /** As in an engine of one process: who has died is known to be dead. Default: a lease must run out. */
  readonly deadAreKnown?: boolean;
  /** Tasks come several times, and old ones again. */
  readonly noisy?: boolean;
  /** What a request is given; Cloud Tasks' own longest by default. */
  readonly sliceMs?: number;
}

/** A platform of one process at a time on a real engine, whose process can be killed at any crash point and is then started anew. */
export class JobBench {
  readonly outcomes = new HeardOutcomes();
  readonly world = new World();
  readonly results: SliceResult[] = [];
  /** What repeated tasks came to, when they did not find that there was nothing to do. */
  readonly noise: SliceResult[] = [];
  readonly warnings: string[] = [];
  readonly shutdown: AbortController[] = [];
  kills = 0;
  /** Slices under way in a living process. */
  running = 0;
  #life!: Life;
  #platform!: JobPlatform;
  #starts = 0;
  readonly #seen: RunJobSlice[] = [];

  private constructor(
    readonly engine: TestEngine,
    private readonly options: JobBenchOptions,
  ) {}

  static async open(options: JobBenchOptions): Promise<JobBench> {
    const holder: { bench?: JobBench } = {};
    const engine = await openTestEngine((task) => holder.bench!.#receive(task.body));
    const bench = (holder.bench = new JobBench(engine, options));
    bench.start();
    return bench;
  }

  get platform(): JobPlatform {
    return this.#platform;
  }
  get jobs() {
    return this.#platform.jobs;
  }

  /** Begins a new process. */
  start(): void {
    const life = (this.#life = new Life(`process-${++this.#starts}`));
    this.shutdown.unshift(new AbortController());
    this.#platform = this.platformOf(life);
  }

  /** Another process beside the one that gets the tasks. */
  platformOf(life: Life): JobPlatform {
    const { engine, options } = this;
    const tasks = new JobTasks(new MortalTasks(engine.tasks, life), { url: `${engine.receiver.url}/slices`, audience: 'agent-host' });
    return jobPlatform({
      documents: new MortalDocuments(engine.documents, life),
      tasks,
      kinds: new JobKinds(options.kinds),
      outcomes: this.outcomes,
      leases: {
        holder: life.name,
        ...(options.deadAreKnown && { mayBeAlive: (holder: string) => holder === this.#life.name }),
      },
      places: { shared: options.shared ?? 4, limitsOf: () => options.limits ?? { min: 4, max: 8 } },
      clock: engine.clock,
      onWarning: (message, error) => this.warnings.push(`${message}: ${error instanceof Error ? error.message : String(error)}`),
    });
  }

  /** Ends the process as `kill -9` does, and starts the next one. */
  kill(): void {
    this.kills++;
    this.running = 0;
    this.#life.end();
    this.start();
  }

  /** Ends the process with its task driver, which shares its fate in an engine of one process, and starts both anew. */
  async restart(): Promise<void> {
    this.kill();
    await this.engine.restartTasks();
    this.start();
  }

  /** Kills the process whenever `when` says so at a crash point. */
  killAt(when: (point: CrashPoint) => boolean): void {
    atCrashPoints((point) => {
      if (!when(point)) return;
      this.kill();
      throw new Error(`killed ${point}`);
    });
  }

  /** Asks for a job, as a turn or a command does. */
  begin(start: Partial<JobStart> & Pick<JobStart, 'kind'>, id = 'j1'): Promise<JobRecord> {
    return this.jobs.start(alice, { jobId: id as JobId, title: start.kind, input: null, ...start });
  }

  job(id = 'j1'): Promise<JobRecord> {
    return this.jobs.get(alice, id as JobId);
  }

  steps(id = 'j1'): Promise<StepRecord[]> {
    return this.jobs.steps(alice, id as JobId);
  }

  /** What a task's request comes to in the process as it is now. */
  slice(task: RunJobSlice): Promise<SliceResult> {
    const deadline = this.engine.clock.now() + (this.options.sliceMs ?? 30 * minute);
    return this.#platform.runner.slice(task, { signal: this.shutdown[0]!.signal, deadline });
  }

  /** Resolves when the process that runs now is killed. */
  died(): Promise<undefined> {
    return this.#life.died.then(() => undefined);
  }

  async placesInUse(): Promise<number> {
    const { documents } = this.engine;
    const own = await documents.query({ from: { collection: jobPaths.places(alice) } });
    const shared = await documents.query({ from: { collection: jobPaths.sharedPlaces } });
    return own.items.length + shared.items.length;
  }

  /** Lets time pass until the next task of the only job is due, to the millisecond, and then waits for its answer. */
  async due(id = 'j1'): Promise<void> {
    const { dueAt } = await this.job(id);
    // A request whose answer is still on its way would run into its deadline.
    const { tasks } = this.engine;
    await this.engine.until('only that task to be left', async () => (await tasks.stats('job-slices-normal')).pending === 1, 0);
    const answered = this.results.length;
    this.engine.clock.advance(Math.max(0, dueAt - this.engine.clock.now()));
    await this.engine.until('its next answer', () => this.results.length > answered, 0);
  }

  /** Lets time pass until the job has ended and all that follows from it has happened. */
  async ended(id = 'j1', stepMs = 2_000): Promise<JobRecord> {
    let swept = this.engine.clock.now();
    await eventually(`the end of ${id}`, async () => {
      const { open, unsettled } = await this.job(id);
      if (!open && !unsettled) return true;
      // While a step takes its time, time is its own.
      if (!this.engine.elapsing) this.engine.clock.advance(stepMs);
      if (this.engine.clock.now() - swept >= minute) {
        swept = this.engine.clock.now();
        await Promise.race([this.platform.sweep.run(), this.#life.died]);
      }
      return undefined;
    });
    return this.job(id);
  }

  async close(): Promise<void> {
    atCrashPoints();
    await this.engine.close();
  }

  /** The same task again, and every older one: what a queue that delivers at least once, in no order, may do at its worst. */
  #makeNoise(life: Life, task: RunJobSlice): void {
    this.#seen.push(task);
    for (const again of this.#seen.slice(-5)) {
      void this.slice(again).then(
        (result) => life.alive && result.kind !== 'duplicate' && result.kind !== 'held' && this.noise.push(result),
        (error: unknown) => life.alive && this.warnings.push(String(error)),
      );
    }
  }

  async #receive(body: Buffer): Promise<{ status: number; headers?: Record<string, string> }> {
    const life = this.#life;
    const task = runJobSlice.parse(JSON.parse(body.toString()));
    if (this.options.noisy) this.#makeNoise(life, task);
    this.running++;
    const answered = await Promise.race([this.slice(task).catch((error: unknown) => error as Error), life.died.then(() => undefined)]);
    if (!life.alive || answered === undefined) return { status: 502 };
    this.running--;
    if (answered instanceof Error) {
      this.warnings.push(answered.message);
      return { status: 500 };
    }
    this.results.push(answered);
    if (answered.kind === 'held') return { status: 503, headers: { 'retry-after': String(Math.ceil(answered.retryAfterMs / 1000)) } };
    return answered.kind === 'given-back' ? { status: 503 } : { status: 200 };
  }
}

/** An action that takes its time on the bench's clock. */
export function work(
  bench: () => JobBench,
  milliseconds: number,
  repeat: StepAction['repeat'] = 'safe',
  then: (context: StepContext, input: Json) => Json | Promise<Json> = (_context, input) => input,
): StepAction {
  return {
    repeat,
    timeoutMs: 20 * minute,
    async run(input, context) {
      bench().world.begin(context);
      if (milliseconds > 0) await bench().engine.elapse(milliseconds);
      return then(context, input);
    },
  };
}
