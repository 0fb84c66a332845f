import type { ModelRequest, ModelSimulator } from '@rockpool/testkit';

/** The times at which the product was ended, and when it was gone. A run that began before cannot have gone on after. */
export interface Ending {
  readonly at: number;
  readonly gone: number;
}

/** How often the model was asked more than once for one message, and whether anything explains it. */
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
}

const token = /\bzq[0-9a-f]{14}\b/g;

/** Plays the model: repeats what it is told, sometimes slowly, and notes who asked when. */
export class ModelRuns {
  private readonly runs = new Map<string, ModelRequest[]>();
  private readonly lastOf = new Map<string, { readonly token: string; readonly request: ModelRequest }>();
  private readonly overlaps: { readonly token: string; readonly earlier: ModelRequest; readonly at: number }[] = [];

  /** `conversationOf` names the conversation of a token. */
  constructor(
    model: ModelSimulator,
    private readonly conversationOf: (token: string) => string,
  ) {
    const text = (request: ModelRequest) => `You said: ${request.lastUserText}`;
    const share = (request: ModelRequest) => Number.parseInt(tokenOf(request)?.slice(2, 4) ?? '0', 16) / 256;
    model.when((request) => this.note(request)).reply('unused');
    // A tenth answer slowly enough for previews, a quarter think for a moment, the rest are quick.
    model
      .when((request) => share(request) < 0.1)
      .reply({ text: (request) => `${text(request)} ${'and so on '.repeat(10)}`, firstTokenMs: 200, betweenTokensMs: 80 });
    model.when((request) => share(request) < 0.35).reply({ text, firstTokenMs: 400 });
    model.when(() => true).reply({ text, firstTokenMs: 30 });
  }

  /** Judges what was noted. `endings` are those of processes that run turns. */
  findings(endings: readonly Ending[]): RunFindings {
    const needless: string[] = [];
    const resumedMs: number[] = [];
    let runs = 0;
    for (const [key, requests] of this.runs) {
      runs += requests.length;
      for (const [index, request] of requests.entries()) {
        const before = requests[index - 1];
        if (!before) continue;
        const ending = endings.findLast(({ at, gone }) => gone >= before.at && at <= request.at);
        if (ending) resumedMs.push(request.at - ending.at);
        else needless.push(key);
      }
    }
    const overlapping = this.overlaps.filter(({ earlier, at }) => !endedBetween(endings, earlier.at, at)).map((overlap) => overlap.token);
    return { runs, repeated: runs - this.runs.size, needless, overlapping, resumedMs };
  }

  /** Only looks: no request is answered by this rule. */
  private note(request: ModelRequest): false {
    const key = tokenOf(request);
    if (key === undefined) return false;
    this.runs.set(key, [...(this.runs.get(key) ?? []), request]);
    const conversation = this.conversationOf(key);
    const last = this.lastOf.get(conversation);
    if (last?.request.outcome === 'pending') this.overlaps.push({ token: key, earlier: last.request, at: request.at });
    this.lastOf.set(conversation, { token: key, request });
    return false;
  }
}

/** The message a request is about: the last thing the user said. */
function tokenOf(request: ModelRequest): string | undefined {
  return request.lastUserText.match(token)?.at(-1);
}

function endedBetween(endings: readonly Ending[], from: number, to: number): boolean {
  return endings.some(({ at, gone }) => gone >= from && at <= to);
}
