import './crashes.js';
import { eventually } from '@rockpool/cloud/testing';
import { fireSchedule, type ConversationId, type CrashPoint, type EventId, type ScheduleId, type TenantId } from '@rockpool/contracts';
import type { QuietHours, When } from '../occurrences.js';
import { SchedulePrompts, type Firing, type Occurrence, type UpkeepFunction } from '../schedule-firing.js';
import { schedulePlatform, type SchedulePlatform } from '../schedule-platform.js';
import type { PromptEffect, ScheduleRecord } from '../schedule-records.js';
import { scheduleQueue, ScheduleTasks } from '../schedule-tasks.js';
import type { ScheduleWish } from '../schedules.js';
import { atCrashPoints } from './crashes.js';
import { openTestEngine, type TestEngine } from './engine.js';
import { Life, MortalDocuments, MortalTasks } from './mortal.js';

export const alice = 'alice' as TenantId;
export const chat = 'web:alice:1' as ConversationId;
export const second = 1_000;
export const minute = 60 * second;
export const hour = 60 * minute;
export const day = 24 * hour;

/** What was put into conversations: each event once, with every time that it was put. */
export class NotedPrompts extends SchedulePrompts {
  readonly noted: { eventId: EventId; plannedAt: number; at: number; late: boolean; text: string }[] = [];
  puts = 0;
  /** Called before a prompt is noted; what it throws the prompt fails with. */
  before: () => void = () => undefined;
  readonly #known = new Set<string>();

  constructor(private readonly now: () => number) {
    super();
  }
  async put({ tenantId, eventId, plannedAt, late }: Occurrence, { text }: PromptEffect): Promise<void> {
    this.before();
    this.puts++;
    if (this.#known.has(`${tenantId}/${eventId}`)) return;
    this.#known.add(`${tenantId}/${eventId}`);
    this.noted.push({ eventId, plannedAt, at: this.now(), late, text });
  }
  /** When each was planned for. */
  get planned(): string[] {
    return this.noted.map(({ plannedAt }) => new Date(plannedAt).toISOString());
  }
}

/** A scheduler of one process at a time on a real engine. */
export class ScheduleBench {
  readonly prompts: NotedPrompts;
  readonly upkeep = new Map<string, UpkeepFunction>();
  readonly firings: Firing[] = [];
  readonly warnings: string[] = [];
  kills = 0;
  /** While it is, requests are refused. */
  down = false;
  refused = 0;

  #life!: Life;
  #platform!: SchedulePlatform;

  private constructor(readonly engine: TestEngine) {
    this.prompts = new NotedPrompts(engine.clock.now);
  }

  static async open(start: string): Promise<ScheduleBench> {
    const holder: { bench?: ScheduleBench } = {};
    const engine = await openTestEngine((task) => holder.bench!.#receive(task.body), Date.parse(start));
    const bench = (holder.bench = new ScheduleBench(engine));
    bench.start();
    return bench;
  }

  get schedules() {
    return this.#platform.schedules;
  }
  get firing() {
    return this.#platform.firing;
  }
  get sweep() {
    return this.#platform.sweep;
  }

  start(perTenant = 20_000): void {
    const life = (this.#life = new Life('scheduler'));
    const { engine } = this;
    const options = { url: `${engine.receiver.url}/fire`, audience: 'scheduler' };
    this.#platform = schedulePlatform({
      documents: new MortalDocuments(engine.documents, life),
      tasks: new ScheduleTasks(new MortalTasks(engine.tasks, life), options),
      prompts: this.prompts,
      upkeep: this.upkeep,
      perTenant,
      clock: engine.clock,
      onWarning: (message, error) => this.warnings.push(`${message}: ${String(error)}`),
    });
  }

  kill(): void {
    this.kills++;
    this.#life.end();
    this.start();
  }

  /** Ends the process with its task driver, and starts both anew. */
  async restart(): Promise<void> {
    this.kill();
    await this.engine.restartTasks();
    this.start();
  }

  killAt(when: (point: CrashPoint) => boolean): void {
    atCrashPoints((point) => {
      if (!when(point)) return;
      this.kill();
      throw new Error(`killed ${point}`);
    });
  }

  put(when: When, more: Partial<ScheduleWish> = {}, id = 's1', tenantId = alice): Promise<ScheduleRecord> {
    return this.schedules.put(tenantId, id as ScheduleId, {
      title: id,
      when,
      effect: { kind: 'prompt', conversationId: chat, text: id },
      createdBy: 'test',
      ...more,
    });
  }

  schedule(id = 's1'): Promise<ScheduleRecord> {
    return this.schedules.get(alice, id as ScheduleId);
  }

  /** Moves the clock to that moment and, on the way, waits for the schedule to move on from each time that is due. A pause between tries is let pass in steps of `stepMs`. */
  async passes(at: number, id = 's1', stepMs = 0): Promise<void> {
    const { engine } = this;
    for (;;) {
      const { armedAt = Infinity } = await this.schedule(id);
      if (armedAt > at) return void engine.clock.advance(Math.max(0, at - engine.clock.now()));
      await this.#movesOn(id, stepMs, () => engine.clock.advance(Math.max(0, armedAt - engine.clock.now())));
    }
  }

  /** Nothing can be reached until then; after that a little time passes, in which what was refused is tried again. */
  async isDownUntil(at: number, id = 's1'): Promise<void> {
    const { engine } = this;
    this.down = true;
    await this.#movesOn(id, 500, async () => {
      engine.clock.advance(at - engine.clock.now());
      await engine.until('a request to be refused', () => this.refused > 0, 0);
      this.down = false;
    });
  }

  /** Resolves when the schedule has moved on from what `lead` leads to. */
  async #movesOn(id: string, stepMs: number, lead: () => Promise<void> | void): Promise<void> {
    const { engine, kills } = this;
    const answers = this.firings.length;
    const pending = async () => (await engine.tasks.stats(scheduleQueue.name)).pending;
    const [{ hop }, before] = await Promise.all([this.schedule(id), pending()]);
    await lead();
    const hasMoved = ({ hop: now, state }: ScheduleRecord) => now !== hop || state === 'ended';
    await engine.until('the schedule to move on', async () => hasMoved(await this.schedule(id)), stepMs);
    await engine.until('an answer, or the end of the process', () => this.firings.length > answers || this.kills > kills, stepMs);
    // An answer that is still on its way would come after its request's deadline if time went on.
    if (this.kills === kills) await engine.until('its answer', async () => (await pending()) <= before, stepMs);
  }

  /**
   * Lets a little time pass until every schedule that is due has moved on, those too that became due in that time, with a sweep now and then, as each minute has one.
   */
  async caughtUp(): Promise<void> {
    const due = () => ({
      from: { group: 'schedules' },
      where: { state: 'active' },
      range: { field: 'armedAt', lte: this.engine.clock.now() },
      orderBy: { field: 'armedAt' },
      limit: 1,
    });
    let polls = 0;
    await eventually('what is due to fire', async () => {
      if ((await this.engine.documents.query(due())).items.length === 0) return true;
      if (++polls % 100 === 0) await Promise.race([this.sweep.run(), this.#life.died]);
      // First the requests under way; time only for what waits to be tried again.
      else if (polls > 10) this.engine.clock.advance(200);
      return undefined;
    });
  }

  /** Resolves when so many requests were answered. */
  async answered(count: number): Promise<void> {
    await this.engine.until(`${count} answers`, () => this.firings.length >= count, 0);
  }

  /** Resolves when the process that runs now is killed. */
  died(): Promise<void> {
    return this.#life.died;
  }

  async close(): Promise<void> {
    atCrashPoints();
    await this.engine.close();
  }

  async #receive(body: Buffer): Promise<{ status: number; headers?: Record<string, string> }> {
    if (this.down) {
      this.refused++;
      return { status: 503 };
    }
    const life = this.#life;
    const task = fireSchedule.parse(JSON.parse(body.toString()));
    const fired = this.firing.fire(task, new AbortController().signal);
    const answer = await Promise.race([fired.catch((error: unknown) => error as Error), life.died.then(() => undefined)]);
    if (!life.alive || answer === undefined) return { status: 502 };
    if (answer instanceof Error) return { status: 500 };
    this.firings.push(answer);
    return answer.kind === 'held'
      ? { status: 503, headers: { 'retry-after': String(Math.ceil(answer.retryAfterMs / 1000)) } }
      : { status: 200 };
  }
}

export const cron = (expression: string, timeZone = 'Europe/Berlin'): When => ({ kind: 'cron', expression, timeZone });
export const night: QuietHours = { from: '22:00', to: '07:00', timeZone: 'Europe/Berlin', then: 'later' };
