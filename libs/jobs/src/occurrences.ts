import { Cron } from 'croner';
import { InvalidInput } from '@rockpool/contracts';

/**
 * When a schedule is due. Cron: five fields, with names, `L`, `#` and `W` as croner reads them, on the wall clock of an IANA time zone.
 *
 * Where clocks go forward, a time of day that does not exist comes right after the gap, once; where they go back, one that comes twice is the first. Patterns with `*`
 * or a step in hours or minutes go on in real time instead: they leave out the gap and come in both of the repeated hours.
 */
export type When =
  | { readonly kind: 'once'; /** Epoch milliseconds. */ readonly at: number }
  | { readonly kind: 'cron'; readonly expression: string; readonly timeZone: string };

/** Times of day at which nothing is to happen. `from` and `to` as `22:30`; a night goes over midnight. */
export interface QuietHours {
  readonly from: string;
  readonly to: string;
  readonly timeZone: string;
  /** What becomes of an occurrence that falls into them: it is left out, or comes when they are over (several come as one). */
  readonly then: 'skip' | 'later';
}

/** What quiet hours do, for people: follows the times of a schedule. */
export function quietText({ from, to, then }: QuietHours): string {
  return then === 'skip' ? `not from ${from} to ${to}` : `from ${from} to ${to} it waits`;
}

const timeOfDay = /^([01]\d|2[0-3]):([0-5]\d)$/;
const cachedPatterns = 1_000;
/** Occurrences in a row that fall into quiet hours, before a schedule counts as one that never comes: a year of days. */
const swallowedAtMost = 366;
const patterns = new Map<string, Cron>();

/** Refuses, with `invalid`, what is no time, no pattern or no zone. */
export function checkTimes(when: When, quiet?: QuietHours): void {
  if (when.kind === 'cron') cron(when.expression, when.timeZone);
  else if (!Number.isSafeInteger(when.at)) throw new InvalidInput('the time of a schedule is not a time');
  if (!quiet) return;
  if (!timeOfDay.test(quiet.from) || !timeOfDay.test(quiet.to)) throw new InvalidInput('quiet hours are given as 22:00 and 07:30');
  if (quiet.from === quiet.to)
    throw new InvalidInput('quiet hours that begin when they end are all day or never: pause the schedule instead');
  daily(quiet.from, quiet.timeZone);
}

/** The first occurrence after that moment; `undefined` when there is none any more, or none for as many times as quiet hours swallow. Epoch milliseconds. */
export function nextOccurrence(when: When, quiet: QuietHours | undefined, after: number): number | undefined {
  // What came before within the same quiet hours is still to come: when they are over.
  const from = quiet?.then === 'later' && quietUntil(quiet, after) !== undefined ? quietSince(quiet, after) - 1 : after;
  let at = nextIn(when, from);
  for (let swallowed = 0; at !== undefined && swallowed < swallowedAtMost; swallowed++) {
    const over = quiet && quietUntil(quiet, at);
    if (over === undefined) return at;
    if (quiet!.then === 'later') return over;
    at = nextIn(when, over - 1);
  }
  return undefined;
}

/** When the quiet hours that this moment falls into are over; `undefined` when it falls into none. */
export function quietUntil(quiet: QuietHours, at: number): number | undefined {
  // Within them their end comes before their next beginning; the moment they begin is in, the moment they end is not.
  const ends = nextOf(daily(quiet.to, quiet.timeZone), at);
  const begins = nextOf(daily(quiet.from, quiet.timeZone), at);
  return ends !== undefined && begins !== undefined && ends < begins ? ends : undefined;
}

/** When the quiet hours began that this moment falls into. */
function quietSince(quiet: QuietHours, at: number): number {
  const [began] = daily(quiet.from, quiet.timeZone).previousRuns(1, new Date(at + 1_000));
  return began?.getTime() ?? at;
}

/** A local date and time such as `2026-11-21T09:00`, in that zone, as epoch milliseconds. With an offset or `Z` the zone does not matter. Rejects with `invalid`. */
export function momentOf(text: string, timeZone: string): number {
  const parts = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(:\d{2})?(?:\.\d+)?(Z|[+-]\d{2}:?\d{2})?$/.exec(text.trim());
  if (!parts) throw new InvalidInput(`${text} is not a date and time like 2026-11-21T09:00`);
  const [, date, time, seconds = ':00', offset] = parts;
  const at = offset ? Date.parse(`${date}T${time}${seconds}${offset}`) : nextOf(cron(`${date}T${time}${seconds}`, timeZone), 0);
  // The 31st of February would be the 3rd of March.
  const day = new Date(`${date}T00:00:00Z`);
  const isDay = !Number.isNaN(day.getTime()) && day.toISOString().startsWith(date!);
  if (at === undefined || Number.isNaN(at) || !isDay) throw new InvalidInput(`${text} is not a date and time that exists`);
  return at;
}

function nextIn(when: When, after: number): number | undefined {
  if (when.kind === 'once') return when.at > after ? when.at : undefined;
  return nextOf(cron(when.expression, when.timeZone), after);
}

function nextOf(pattern: Cron, after: number): number | undefined {
  return pattern.nextRun(new Date(after))?.getTime();
}

function daily(time: string, timeZone: string): Cron {
  const [hours, minutes] = time.split(':').map(Number);
  return cron(`${minutes} ${hours} * * *`, timeZone);
}

/** Parsing one costs a hundred times its use. */
function cron(expression: string, timeZone: string): Cron {
  const key = `${timeZone} ${expression}`;
  const known = patterns.get(key);
  if (known) return known;
  let pattern: Cron;
  try {
    // Asked without a zone the process's own would be taken, which nobody chose.
    new Intl.DateTimeFormat('en', { timeZone });
    pattern = new Cron(expression, { timezone: timeZone, mode: '5-part', fixedTimeRule: 'no-wildcard', paused: true });
  } catch (cause) {
    throw new InvalidInput(`“${expression}” in ${timeZone || 'no time zone'}: ${(cause as Error).message}`, { cause });
  }
  if (patterns.size >= cachedPatterns) patterns.delete(patterns.keys().next().value!);
  patterns.set(key, pattern);
  return pattern;
}
