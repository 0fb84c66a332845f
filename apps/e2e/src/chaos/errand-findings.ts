import type { ModelRequest, ShownMessage } from '@rockpool/testkit';
import { endsJob, errandIn, isCancelled, isPlanned, lineOf, plannedIn, roleOf, type ErrandKind } from './errands.js';

/** A finding about one errand. */
interface ErrandFinding {
  readonly token: string;
  readonly conversation: string;
  readonly detail: string;
}

/** What came of work in the background and of reminders, by what people see and when the model was asked. */
export interface ErrandFindings {
  readonly jobs: {
    /** That people were told of, and how many of them have shown their result. */
    readonly started: number;
    readonly finished: number;
    readonly cancelled: number;
    readonly builders: number;
    /** Neither a result nor a cancellation that was confirmed. */
    readonly lost: readonly ErrandFinding[];
    /** Two results of one job. */
    readonly duplicated: readonly ErrandFinding[];
    /** A result of a job whose cancellation had been confirmed. */
    readonly afterCancel: readonly ErrandFinding[];
    /** A result above the job's own status, or above the answer to a message that the model had been asked about before the job could end. */
    readonly outOfOrder: readonly ErrandFinding[];
    readonly misdirected: readonly ErrandFinding[];
    /** A result that lacks what one of its builders made, or has it twice. */
    readonly incomplete: readonly ErrandFinding[];
    /** Status messages that say another state than the job's last one. Best effort: no promise is broken. */
    readonly staleStatuses: readonly ErrandFinding[];
  };
  readonly reminders: {
    readonly planned: number;
    /** Not planned, and the person was told so: no promise is broken. */
    readonly refused: readonly ErrandFinding[];
    readonly shown: number;
    readonly lost: readonly ErrandFinding[];
    readonly duplicated: readonly ErrandFinding[];
    readonly early: readonly ErrandFinding[];
    readonly misdirected: readonly ErrandFinding[];
    /** Milliseconds from the time each was planned for until the model was asked to say it. */
    readonly lateMs: readonly number[];
  };
}

interface Errand {
  readonly token: string;
  readonly kind: ErrandKind;
  readonly n: number;
  readonly conversation: string;
}

interface Place {
  readonly message: ShownMessage;
  readonly position: number;
}

/**
 * The independent judge of work in the background: it knows what was asked for, what the simulated model was asked when, and what people see. It knows nothing of the product. That
 * each job has one status message in the place of an answer is for the ledger to see, to which {@link asAnswers} shows it as the answer of its message.
 */
export class Errands {
  private readonly asked = new Map<string, Errand>();
  private readonly accepted = new Set<string>();
  /** Token of the message that asks for a job's end, and that job's. */
  private readonly cancels = new Map<string, string>();

  /** Notes a message that is sent. */
  said(text: string, token: string, conversation: string): void {
    const errand = errandIn(text);
    if (errand) this.asked.set(token, { ...errand, conversation });
  }

  /** Notes that a message asks for the end of the job of another. */
  asksToCancel(token: string, job: string): void {
    this.cancels.set(token, job);
  }

  /** Notes a message that got 2xx. */
  wasAccepted(token: string): void {
    this.accepted.add(token);
  }

  /** What people see, for a ledger that knows answers only: a status is the answer to its message; results and reminders answer nothing. */
  static asAnswers(shown: readonly ShownMessage[]): ShownMessage[] {
    return shown.flatMap((message) => {
      const { role, token } = roleOf(message);
      if (role === 'answer') return [message];
      return role === 'status' ? [{ ...message, text: token! }] : [];
    });
  }

  /** How many results and reminders are still to come. */
  unfinished(shown: readonly ShownMessage[]): number {
    const places = placesOf(shown);
    const cancelled = this.cancelled(shown);
    const jobs = this.jobs(places).filter(({ token }) => !cancelled.has(token) && !places.result.has(token));
    return jobs.length + this.reminders(places, cancelled).filter(({ token }) => !places.reminder.has(token)).length;
  }

  /** Judges what people see in the end. */
  findings(shown: readonly ShownMessage[], requests: readonly ModelRequest[]): ErrandFindings {
    const places = placesOf(shown);
    const cancelled = this.cancelled(shown);
    return {
      jobs: this.judgeJobs(places, cancelled, requests),
      reminders: this.judgeReminders(places, cancelled, requests),
    };
  }

  /** Those that were accepted, and those that people were told of though their sender heard nothing. */
  private jobs(places: Places): Errand[] {
    return [...this.asked.values()].filter(
      ({ kind, token }) => kind !== 'reminder' && (this.accepted.has(token) || places.status.has(token)),
    );
  }

  private reminders(places: Places, cancelled: ReadonlySet<string>): Errand[] {
    return [...this.asked.values()].filter(({ kind, token }) => {
      if (kind === 'reminder') return places.answer.get(token)?.some(({ message }) => isPlanned(message.text)) ?? false;
      return kind === 'remind' && !cancelled.has(token) && (this.accepted.has(token) || places.status.has(token));
    });
  }

  /** Jobs whose end was confirmed to the person who asked for it. */
  private cancelled(shown: readonly ShownMessage[]): ReadonlySet<string> {
    const confirmed = [...this.cancels].filter(([token]) => shown.some(({ text }) => text.includes(token) && isCancelled(text)));
    return new Set(confirmed.map(([, job]) => job));
  }

  /** What people see of a job whose result they do not see. */
  private saidOf({ token }: Errand, places: Places): string {
    const cancels = [...this.cancels].filter(([, job]) => job === token).map(([own]) => textOf(places.answer.get(own)));
    return [`its status: ${textOf(places.status.get(token))}`, ...cancels.map((text) => `asked to cancel: ${text}`)].join('; ');
  }

  private judgeJobs(places: Places, cancelled: ReadonlySet<string>, requests: readonly ModelRequest[]): ErrandFindings['jobs'] {
    const jobs = this.jobs(places);
    const resultsOf = ({ token }: Errand) => places.result.get(token) ?? [];
    const running = jobs.filter(({ token }) => !cancelled.has(token));
    const couldEnd = new Map<string, number>();
    const askedFirst = new Map<string, number>();
    for (const request of requests) {
      const line = lineOf(request);
      if (!line) continue;
      if (endsJob(request) && !line.name.includes('/') && !couldEnd.has(line.token)) couldEnd.set(line.token, request.at);
      if (!line.isJob && !askedFirst.has(line.name)) askedFirst.set(line.name, request.at);
    }
    const above = (errand: Errand): string | undefined => {
      const [result] = resultsOf(errand);
      const status = places.status.get(errand.token)?.[0];
      if (!result) return undefined;
      if (status && status.position > result.position) return 'its result stands above its status';
      for (const [token, [answer]] of places.answer) {
        const isBefore = (askedFirst.get(token) ?? Infinity) < (couldEnd.get(errand.token) ?? 0);
        if (answer!.message.conversation === errand.conversation && isBefore && answer!.position > result.position)
          return `its result stands above the answer to ${token}, which was begun before the job could end`;
      }
      return undefined;
    };
    return {
      started: jobs.length,
      finished: jobs.filter((job) => resultsOf(job).length > 0).length,
      cancelled: cancelled.size,
      builders: jobs.reduce((sum, { kind, n }) => sum + (kind === 'parts' ? n : 0), 0),
      lost: running
        .filter((job) => resultsOf(job).length === 0)
        .map((job) => finding(job, `no result is visible; ${this.saidOf(job, places)}`)),
      duplicated: jobs.filter((job) => resultsOf(job).length > 1).map((job) => finding(job, `results ${idsOf(resultsOf(job))}`)),
      afterCancel: jobs
        .filter((job) => cancelled.has(job.token) && resultsOf(job).length > 0)
        .map((job) => finding(job, 'its cancellation was confirmed, and there is a result')),
      outOfOrder: withDetail(jobs, above),
      misdirected: misdirectedOf(jobs, places.result),
      incomplete: running.flatMap((job) => resultsOf(job).flatMap(({ message }) => incompleteIn(job, message))),
      staleStatuses: jobs.flatMap((job) => staleIn(job, places.status.get(job.token)?.[0], cancelled.has(job.token))),
    };
  }

  private judgeReminders(places: Places, cancelled: ReadonlySet<string>, requests: readonly ModelRequest[]): ErrandFindings['reminders'] {
    const due = new Map<string, { first: number; last: number }>();
    const said = new Map<string, number>();
    for (const request of requests) {
      const line = lineOf(request);
      const inMs = plannedIn(request);
      if (!line) continue;
      const { token } = line;
      // What is planned anew by a run that is repeated may be due later, never before.
      if (inMs !== undefined) due.set(token, { first: due.get(token)?.first ?? request.at + inMs, last: request.at + inMs });
      if (line.name.startsWith('rq') && !said.has(token)) said.set(token, request.at);
    }
    const reminders = this.reminders(places, cancelled);
    const failed = [...this.asked.values()].filter(
      ({ kind, token }) => kind === 'reminder' && places.answer.has(token) && !reminders.some((planned) => planned.token === token),
    );
    const shownOf = ({ token }: Errand) => places.reminder.get(token) ?? [];
    const timed = [...said].flatMap(([token, at]) => (due.has(token) ? [{ errand: this.asked.get(token)!, at, ...due.get(token)! }] : []));
    return {
      planned: reminders.length,
      refused: failed.map((errand) => finding(errand, textOf(places.answer.get(errand.token)))),
      shown: reminders.filter((errand) => shownOf(errand).length > 0).length,
      lost: reminders.filter((errand) => shownOf(errand).length === 0).map((errand) => finding(errand, 'no reminder is visible')),
      duplicated: reminders
        .filter((errand) => shownOf(errand).length > 1)
        .map((errand) => finding(errand, `reminders ${idsOf(shownOf(errand))}`)),
      early: timed.filter(({ at, first }) => at < first).map(({ errand, at, first }) => finding(errand, `${first - at} ms early`)),
      misdirected: misdirectedOf(reminders, places.reminder),
      lateMs: timed.map(({ at, first, last }) => at - (last <= at ? last : first)),
    };
  }
}

type Places = Readonly<Record<'answer' | 'status' | 'result' | 'reminder', ReadonlyMap<string, readonly Place[]>>>;

function placesOf(shown: readonly ShownMessage[]): Places {
  const places = {
    answer: new Map<string, Place[]>(),
    status: new Map<string, Place[]>(),
    result: new Map<string, Place[]>(),
    reminder: new Map<string, Place[]>(),
  };
  for (const [position, message] of shown.entries()) {
    const { role, token } = roleOf(message);
    for (const known of token === undefined ? new Set(message.text.match(/\bzq[0-9a-f]{14}\b/g)) : [token])
      places[role].set(known, [...(places[role].get(known) ?? []), { message, position }]);
  }
  return places;
}

function textOf(places: readonly Place[] | undefined): string {
  return places?.map(({ message }) => message.text.slice(0, 300)).join(' | ') ?? 'nothing';
}

function finding({ token, conversation }: Errand, detail: string): ErrandFinding {
  return { token, conversation, detail };
}

function withDetail(errands: readonly Errand[], detailOf: (errand: Errand) => string | undefined): ErrandFinding[] {
  return errands.flatMap((errand) => {
    const detail = detailOf(errand);
    return detail === undefined ? [] : [finding(errand, detail)];
  });
}

function idsOf(places: readonly Place[]): string {
  return places.map(({ message }) => message.id).join(', ');
}

function misdirectedOf(errands: readonly Errand[], places: ReadonlyMap<string, readonly Place[]>): ErrandFinding[] {
  return errands.flatMap((errand) =>
    (places.get(errand.token) ?? [])
      .filter(({ message }) => message.conversation !== errand.conversation)
      .map(({ message }) => finding(errand, `shown in ${message.conversation}`)),
  );
}

function incompleteIn(errand: Errand, { text }: ShownMessage): ErrandFinding[] {
  if (errand.kind !== 'parts') return [];
  // A reply webhook carries it in several forms.
  const parts = new Set(text.match(/\bpart-\d+/g));
  return parts.size === errand.n ? [] : [finding(errand, `${parts.size} of ${errand.n} builders are in its result`)];
}

/** A message that was never edited was on a channel that cannot. */
function staleIn(errand: Errand, status: Place | undefined, isCancelled: boolean): ErrandFinding[] {
  if (!status || status.message.conversation.startsWith('http:')) return [];
  const wanted = isCancelled ? 'Cancelled' : 'Done';
  return status.message.text.includes(wanted) ? [] : [finding(errand, `its status says ${textOf([status])}`)];
}
