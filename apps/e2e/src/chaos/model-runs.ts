import type { ModelRequest, ModelSimulator } from '@rockpool/testkit';
import { errandStep, lineOf, stepFor, type Line } from './errands.js';

/** The times at which the product was ended, and when it was gone with everything it had asked for. A run that began before cannot have gone on after. */
export interface Ending {
  readonly at: number;
  readonly gone: number;
}

/** How often the model was asked more than once for one thing, and whether anything explains it. */
export interface RunFindings {
  readonly runs: number;
  /** Runs beyond the first of a message. */
  readonly repeated: number;
  /** Repeated although the product was not ended since the run before began. */
  readonly needless: readonly string[];
  /** Begun while another run of the same conversation was under way in the same process. */
  readonly overlapping: readonly string[];
  /** Of each message whose run was cut off, the milliseconds from the end of its process to the next run. */
  readonly resumedMs: readonly number[];
  /** The same of the steps of jobs and builders that ask the model. */
  readonly jobSteps: {
    readonly asked: number;
    readonly repeated: number;
    readonly needless: readonly string[];
    /** Jobs of which one ending had more than one step repeated. */
    readonly severalForOneEnding: readonly string[];
  };
}

interface Repeat {
  readonly key: string;
  readonly line: Line;
  /** The last ending since the run before began. */
  readonly ending?: Ending;
  readonly before: ModelRequest;
  readonly at: number;
}

/** Plays the model: repeats what it is told, sometimes slowly, goes on errands, and notes who asked when. */
export class ModelRuns {
  /** By line of work and how many calls of tools came before. */
  private readonly runs = new Map<string, { readonly line: Line; readonly requests: ModelRequest[] }>();
  private readonly lastOf = new Map<string, { readonly token: string; readonly request: ModelRequest }>();
  private readonly overlaps: { readonly token: string; readonly earlier: ModelRequest; readonly at: number }[] = [];

  /** `conversationOf` names the conversation of a token. */
  constructor(
    model: ModelSimulator,
    private readonly conversationOf: (token: string) => string,
  ) {
    const text = (request: ModelRequest) => `You said: ${request.lastUserText}`;
    const share = (request: ModelRequest) => Number.parseInt(lineOf(request)?.token.slice(2, 4) ?? '0', 16) / 256;
    model.when((request) => this.note(request)).reply('unused');
    model.when((request) => stepFor(request) !== undefined).reply(errandStep);
    // A tenth answer slowly enough for previews, a quarter think for a moment, the rest are quick.
    model
      .when((request) => share(request) < 0.1)
      .reply({ text: (request) => `${text(request)} ${'and so on '.repeat(10)}`, firstTokenMs: 200, betweenTokensMs: 80 });
    model.when((request) => share(request) < 0.35).reply({ text, firstTokenMs: 400 });
    model.when(() => true).reply({ text, firstTokenMs: 30 });
  }

  /** Judges what was noted. `endings` are those of processes that run turns and jobs. */
  findings(endings: readonly Ending[]): RunFindings {
    const of = (isJob: boolean) => [...this.runs].filter(([, { line }]) => line.isJob === isJob);
    const asked = (isJob: boolean) => of(isJob).reduce((sum, [, { requests }]) => sum + requests.length, 0);
    const repeats = this.repeats(endings);
    const turns = repeats.filter(({ line }) => !line.isJob);
    const steps = repeats.filter(({ line }) => line.isJob);
    const needless = (some: readonly Repeat[]) => some.filter(({ ending }) => !ending).map((repeat) => inWords(repeat, endings));
    const overlapping = this.overlaps.filter(({ earlier, at }) => !endedBetween(endings, earlier.at, at)).map((overlap) => overlap.token);
    return {
      runs: asked(false),
      repeated: turns.length,
      needless: needless(turns),
      overlapping,
      resumedMs: turns.flatMap(({ ending, at }) => (ending ? [at - ending.at] : [])),
      jobSteps: {
        asked: asked(true),
        repeated: steps.length,
        needless: needless(steps),
        severalForOneEnding: severalForOneEnding(steps),
      },
    };
  }

  private repeats(endings: readonly Ending[]): Repeat[] {
    return [...this.runs].flatMap(([key, { line, requests }]) =>
      requests.slice(1).map((request, index) => {
        const before = requests[index]!;
        const ending = endings.findLast(({ at, gone }) => gone >= before.at && at <= request.at);
        return { key, line, before, at: request.at, ...(ending && { ending }) };
      }),
    );
  }

  /** Only looks: no request is answered by this rule. */
  private note(request: ModelRequest): false {
    const line = lineOf(request);
    if (!line) return false;
    const key = `${line.name}#${request.toolRounds}`;
    const known = this.runs.get(key);
    if (known) known.requests.push(request);
    else this.runs.set(key, { line, requests: [request] });
    // Jobs go on beside the turns of their conversation.
    if (line.isJob) return false;
    const conversation = this.conversationOf(line.token);
    const last = this.lastOf.get(conversation);
    // The next step of a run may be asked for before the last word of the step before has been taken note of.
    const isNextStep = last?.token === line.token && last.request.toolRounds < request.toolRounds;
    if (last?.request.outcome === 'pending' && !isNextStep)
      this.overlaps.push({ token: line.token, earlier: last.request, at: request.at });
    this.lastOf.set(conversation, { token: line.token, request });
    return false;
  }
}

function inWords({ key, before, at }: Repeat, endings: readonly Ending[]): string {
  const ending = endings.findLast((some) => some.gone <= before.at);
  const since = ending === undefined ? 'before any ending' : `${before.at - ending.gone} ms after an ending`;
  return `${key}: ${before.outcome} ${since}, and again ${at - before.at} ms later`;
}

function severalForOneEnding(steps: readonly Repeat[]): string[] {
  const seen = new Map<string, Set<Ending>>();
  const found = new Set<string>();
  for (const { line, ending } of steps) {
    if (!ending) continue;
    const endings = seen.get(line.name) ?? new Set();
    if (endings.has(ending)) found.add(line.name);
    seen.set(line.name, endings.add(ending));
  }
  return [...found];
}

function endedBetween(endings: readonly Ending[], from: number, to: number): boolean {
  return endings.some(({ at, gone }) => gone >= from && at <= to);
}
