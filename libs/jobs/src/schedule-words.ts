import { InvalidInput } from '@rockpool/contracts';
import { momentOf, type When } from './occurrences.js';

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const cronField = String.raw`(?:[\d*][\d*/,-]*|[a-z]{3}(?:[-,][a-z]{3})*)`;
const forms = {
  soon: /^in\s+(\d{1,6})\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)\s+([^]+)$/i,
  once: /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})\s+([^]+)$/,
  quoted: /^["“'`]([^"”'`]+)["”'`]\s+([^]+)$/,
  cron: new RegExp(String.raw`^(${cronField}(?:\s+${cronField}){4})\s+([^]+)$`, 'i'),
};

/** What people may write after `/schedules add`. */
export const wordsUsage =
  '`/schedules add in 10 minutes water the plants`, `/schedules add 2026-12-24 18:00 light the tree`, `/schedules add 0 9 * * 1-5 what is on today?`';

/**
 * Reads a time and what is to be done then: `in 10 minutes …`, a date and time, or five fields of cron, in that zone. Throws `invalid`, in words for a person, when it is
 * none of these; `now` is in epoch milliseconds.
 */
export function scheduleOf(words: string, timeZone: string, now: number): { readonly when: When; readonly text: string } {
  const text = words.trim();
  const soon = forms.soon.exec(text);
  if (soon) return { when: { kind: 'once', at: now + Number(soon[1]) * unitsMs[soon[2]![0]!.toLowerCase()]! }, text: soon[3]! };
  const once = forms.once.exec(text);
  if (once) return { when: { kind: 'once', at: momentOf(`${once[1]}T${once[2]}`, timeZone) }, text: once[3]! };
  const [, expression, what] = forms.quoted.exec(text) ?? forms.cron.exec(text) ?? [];
  if (expression === undefined || what === undefined) throw new InvalidInput('say when and what');
  return { when: { kind: 'cron', expression, timeZone }, text: what };
}
