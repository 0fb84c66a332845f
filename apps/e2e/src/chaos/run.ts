import { writeFile } from 'node:fs/promises';
import { Random } from '@rockpool/testkit';
import { Answers } from './answers.js';
import { Endings } from './endings.js';
import { cancelWords, drawErrand, errandIn } from './errands.js';
import { Errands } from './errand-findings.js';
import { ModelRuns } from './model-runs.js';
import type { ChaosOptions } from './options.js';
import { resultOf, type ChaosResult } from './result.js';
import { Stage } from './stage.js';
import type { Sent, Talk } from './talks.js';

/** How far a run is. */
export interface ChaosProgress {
  readonly sent: number;
  readonly answered: number;
  readonly kills: number;
  readonly terms: number;
}

const messagesPerTalk = 10;
/** More are not sent while so many wait for an answer: a backlog without end would show nothing more. Emulators are slower than what they stand for. */
const mostWaiting = { embedded: 400, google: 60 };
/** When nothing changed for so long, what is missing will not come. */
const stillnessMs = 45_000;
/** Work in the background whose task died with its process is found by a sweep each minute. */
const stillnessOfWorkMs = 150_000;
/** From the moment a person is told of a job until the person has it cancelled. */
const cancelAfterMs = 2_000;
/** Who is not told of a job by then does not cancel it. */
const toldWithinMs = 60_000;
/** When endings are due already, the process lives for so long at most before the next one. */
const longestUptimeMs = 2_500;
/** What might come twice has come by then. */
const aftermathMs = 3_000;

/** One chaos run: opens the stage, sends, kills, waits until all is still, judges. Ends at once, with everything it started, when `signal` aborts. */
export async function runChaos(
  options: ChaosOptions,
  { signal, onProgress, log }: { signal?: AbortSignal; onProgress?: (progress: ChaosProgress) => void; log?: string } = {},
): Promise<ChaosResult> {
  const stage = await Stage.open({
    engine: options.engine,
    seed: options.seed,
    tenants: options.tenants,
    channels: options.channels,
    limits: options.limits,
  });
  let closing: Promise<void> | undefined;
  const stop = () => (closing ??= stage.close());
  signal?.addEventListener('abort', stop, { once: true });
  try {
    signal?.throwIfAborted();
    return await new ChaosRun(options, stage, signal, onProgress).run();
  } finally {
    signal?.removeEventListener('abort', stop);
    if (log !== undefined) await writeFile(log, `${stage.product.lines.join('\n')}\n`);
    await stop();
  }
}

class ChaosRun {
  private readonly answers: Answers;
  private readonly runs: ModelRuns;
  private readonly endings: Endings;
  private readonly errands = new Errands();
  /** What is to be said as the next message: that a job is to end. */
  private readonly cancels: { readonly talk: Talk; readonly job: string; readonly label: string; readonly dueAt: number }[] = [];
  /** Messages that are kept for them. */
  private cancelsToCome = 0;
  private readonly sent: Sent[] = [];
  /** What the run waits for in the end: acceptances and repeated deliveries. */
  private readonly underWay = new Set<Promise<unknown>>();
  private readonly acceptedOf = new Map<Talk, Promise<unknown>>();
  private readonly conversationOf = new Map<string, string>();
  /** What got 2xx, and may come again. */
  private readonly accepted: Sent[] = [];
  private givenUp = 0;
  private killsDone = 0;
  /** Nobody sends more than so many before the endings that are due: a run is to have them all in its midst, however long a start takes. */
  private maySend = Infinity;
  private termsDone = 0;

  constructor(
    private readonly options: ChaosOptions,
    private readonly stage: Stage,
    private readonly signal: AbortSignal | undefined,
    private readonly onProgress: ((progress: ChaosProgress) => void) | undefined,
  ) {
    this.answers = new Answers(stage);
    this.runs = new ModelRuns(stage.model, this.conversation);
    this.endings = new Endings(stage.product.processes, () => stage.model.caughtUp(), signal);
  }

  async run(): Promise<ChaosResult> {
    const startedAt = Date.now();
    const progress = setInterval(() => this.tellProgress(), 1_000);
    try {
      const { dropped, seed } = this.options;
      this.stage.disturb({ kind: 'accept-then-drop', probability: dropped, seed: `${seed}/dropped` });
      this.stage.disturb({ kind: 'drop-before', probability: dropped / 5, seed: `${seed}/lost` });
      this.stage.disturb({ kind: 'status', status: 503, probability: dropped / 5, seed: `${seed}/failed` });
      await Promise.all([this.send(), this.endAgainAndAgain()]);
      await this.endings.settled();
      this.stage.calm();
      const stillAt = await this.untilStill();
      this.answers.look();
      return resultOf({
        options: this.options,
        stage: this.stage,
        answers: this.answers,
        endings: this.endings,
        errands: this.errands,
        runs: this.runs.findings(this.endings.all.filter(({ app }) => app === 'agent-host' || app === 'rockpool')),
        givenUp: this.givenUp,
        leftOpen: await this.leftOpen(),
        durationMs: stillAt - startedAt,
        conversationOf: this.conversation,
      });
    } finally {
      clearInterval(progress);
      this.answers.close();
    }
  }

  private async send(): Promise<void> {
    const random = new Random(`${this.options.seed}/send`);
    const chance = new Random(`${this.options.seed}/errands`);
    const talks = this.talks(random);
    let begin = performance.now();
    while (this.sent.length < this.options.messages) {
      const talk = random.pick(talks);
      // People often send two or three in a row.
      const burst = Math.min(random.pick([1, 1, 1, 2, 3]), this.options.messages - this.sent.length - this.cancelsToCome);
      const mayCancel = talk.goesOn && this.options.messages - this.sent.length - this.cancelsToCome > 10;
      for (let n = 0; n < burst; n++) this.say(talk, random, drawErrand(chance, this.options, mayCancel));
      this.cancelSome(random);
      const due = begin + (this.sent.length * 1000) / this.options.rate;
      await this.pause(Math.max(burst > 0 ? 0 : 20, due - performance.now()));
      while (this.waiting() > mostWaiting[this.options.engine]) await this.pause(50);
      begin += await this.untilEndingsKeepUp();
    }
  }

  private talks(random: Random): Talk[] {
    const { messages, channels, tenants } = this.options;
    const count = Math.max(channels.length * tenants, Math.ceil(messages / messagesPerTalk));
    return Array.from({ length: count }, (_, n) => {
      const channel = channels[n % channels.length]!;
      return this.stage.talk(channel, random.integer(0, tenants - 1), n);
    });
  }

  private say(talk: Talk, random: Random, words?: string): Sent {
    const before = this.acceptedOf.get(talk) ?? Promise.resolve();
    const sent = talk.say(this.stage.ledger, words);
    const token = tokenIn(sent.text);
    this.sent.push(sent);
    this.conversationOf.set(token, sent.conversation);
    this.errands.said(sent.text, token, sent.conversation);
    if (errandIn(sent.text)?.kind === 'long') this.follow(this.cancelSoon(talk, sent));
    const accepted = sent.accepted.then((isAccepted) => {
      this.answers.expect(token, Date.now());
      if (!isAccepted) this.givenUp++;
      else {
        this.accepted.push(sent);
        this.errands.wasAccepted(token);
      }
    });
    this.acceptedOf.set(talk, accepted);
    this.follow(accepted);
    if (!random.chance(this.options.repeated)) return sent;
    // Beside the first delivery, or a while later; now and then a storm. Never before what was said before in the same chat: no sender does that.
    const times = random.chance(0.15) ? 10 : random.integer(1, 2);
    const delayMs = random.chance(0.5) ? 0 : random.integer(0, 10_000);
    const renamed = random.chance(0.5);
    this.follow(before.then(() => this.pause(delayMs)).then(() => sent.redeliver(times, renamed)));
    return sent;
  }

  /** Once the person knows its number, has the job cancelled with one of the next messages. */
  private async cancelSoon(talk: Talk, { text, accepted }: Sent): Promise<void> {
    const job = tokenIn(text);
    const giveUpAt = Date.now() + toldWithinMs;
    this.cancelsToCome++;
    if (await accepted) while (!this.answers.jobs.has(job) && Date.now() < giveUpAt) await this.pause(50);
    const label = this.answers.jobs.get(job);
    if (label === undefined) this.cancelsToCome--;
    else this.cancels.push({ talk, job, label, dueAt: Date.now() + cancelAfterMs });
  }

  private cancelSome(random: Random): void {
    while (this.cancels[0] && this.cancels[0].dueAt <= Date.now()) {
      const { talk, job, label } = this.cancels.shift()!;
      this.cancelsToCome--;
      this.errands.asksToCancel(tokenIn(this.say(talk, random, cancelWords(label)).text), job);
    }
  }

  /** Endings at moments of chance, spread over the messages; after each, some of what was said before comes again. */
  private async endAgainAndAgain(): Promise<void> {
    const random = new Random(`${this.options.seed}/endings`);
    const { kills, terms, messages } = this.options;
    const moments = random
      .shuffle([...Array<'kill'>(kills).fill('kill'), ...Array<'term'>(terms).fill('term')])
      .map((kind, index, all) => ({ kind, after: ((index + 0.1 + 0.8 * random.next()) / all.length) * messages * 0.95 }));
    for (const [index, { kind, after }] of moments.entries()) {
      this.maySend = Math.max(after + 1, moments[index + 1]?.after ?? messages);
      while (this.sent.length < after) await this.pause(10);
      await this.pause(random.integer(0, longestUptimeMs));
      if (kind === 'term') {
        const { ready } = await this.endings.terminate(random);
        this.termsDone++;
        this.follow(ready.then(() => this.repeatSome(index)));
      } else if (this.killsDone < kills) {
        const { kills: more, ready } = await this.endings.kill(random, kills - this.killsDone);
        this.killsDone += more;
        this.follow(ready.then(() => this.repeatSome(index)));
      }
    }
    this.maySend = Infinity;
  }

  private repeatSome(index: number): void {
    const random = new Random(`${this.options.seed}/again/${index}`);
    for (let n = 0; n < 5 && this.accepted.length > 0; n++) this.follow(random.pick(this.accepted).redeliver(1, random.chance(0.5)));
  }

  /** Resolves, with the milliseconds that took, when not more than one ending is overdue. */
  private async untilEndingsKeepUp(): Promise<number> {
    const begin = performance.now();
    while (this.sent.length >= Math.ceil(this.maySend)) await this.pause(20);
    return performance.now() - begin;
  }

  /** Resolves, with the time of the last change, when every sender is done and every message answered, or nothing changes any more. */
  private async untilStill(): Promise<number> {
    let last = { key: '', at: Date.now() };
    for (;;) {
      const shown = this.stage.shown();
      const unanswered = this.stage.ledger.unanswered(Errands.asAnswers(shown)).length;
      const unfinished = this.errands.unfinished(shown);
      const key = `${this.underWay.size}/${unanswered}/${unfinished}`;
      if (key !== last.key) last = { key, at: Date.now() };
      if (this.underWay.size === 0 && unanswered === 0 && unfinished === 0) break;
      if (Date.now() - last.at >= (unfinished > 0 ? stillnessOfWorkMs : stillnessMs)) break;
      await this.pause(200);
    }
    await this.pause(aftermathMs);
    return last.at;
  }

  private readonly conversation = (token: string): string => this.conversationOf.get(token) ?? token;

  private async leftOpen(): Promise<number> {
    let open = 0;
    for (const state of ['pending', 'running', 'answered']) {
      const { items } = JSON.parse(await this.stage.product.rockpool('inbox', '--state', state, '--json')) as { items: unknown[] };
      open += items.length;
    }
    return open;
  }

  private waiting(): number {
    return this.sent.length - this.givenUp - this.answers.at.size;
  }

  private follow(promise: Promise<unknown>): void {
    // Whether it failed is seen in what people see.
    const settled = promise.catch(() => undefined).finally(() => this.underWay.delete(settled));
    this.underWay.add(settled);
  }

  private tellProgress(): void {
    const answered = this.answers.at.size;
    this.onProgress?.({ sent: this.sent.length, answered, kills: this.killsDone, terms: this.termsDone });
  }

  private async pause(ms: number): Promise<void> {
    this.signal?.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.signal?.throwIfAborted();
  }
}

function tokenIn(text: string): string {
  return text.split(' ').at(-1)!;
}
