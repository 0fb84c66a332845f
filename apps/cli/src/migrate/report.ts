import { color, printable, table } from '../output.js';
import type { Comparison } from './comparison.js';
import { migrationFile } from './migration-record.js';
import type { MigrationPlan } from './move-folder.js';

/** Differences that people are shown; `--json` has more. */
const differencesShown = 50;

const beforeMove = 'Put them right and start the same command again: it copies what is missing, and compares.';
const afterMove = 'Everything was there once: this is what has happened since, and nothing was copied again.';

/** The plan for people: what is there, what they should know, and what keeps it from being moved. */
export function planText({ from, to, documents, secrets, blobs, leftBehind, notes, refusals }: MigrationPlan): string {
  const rows = [
    ...Object.entries(documents)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([kind, count]) => [kind, String(count)]),
    ['secrets', String(secrets)],
    [`files (${(blobs.bytes / 2 ** 20).toFixed(1)} MiB)`, String(blobs.count)],
  ];
  return [
    `From  ${from}`,
    `To    ${to}`,
    '',
    table(['WHAT', 'COUNT'], rows),
    '',
    ...notes.map((note) => `note: ${note}`),
    ...(refusals.length === 0 ? leftBehind.map((what) => color('yellow', `left behind: ${printable(what)}`)) : []),
    ...refusals.map((refusal) => color('red', `not yet: ${printable(refusal)}`)),
  ].join('\n');
}

/** How it went, for people. */
export function comparisonText(
  { kinds, differences, differenceCount }: Comparison,
  { problems, from, to, movedBefore }: Pick<MigrationPlan, 'from' | 'to' | 'movedBefore'> & { readonly problems: readonly string[] },
): string {
  const rows = Object.entries(kinds).map(([kind, { source, target }]) => {
    const hashes = [source, target].map(({ hash }) => hash?.slice(0, 12) ?? '');
    return [kind, String(source.count), String(target.count), hashes[0] === hashes[1] ? hashes[0]! : `${hashes[0]} / ${hashes[1]}`];
  });
  const shown = differences.slice(0, differencesShown).map(({ what, path }) => `${what}: ${printable(path)}`);
  if (differenceCount > shown.length) shown.push(`and ${differenceCount - shown.length} more`);
  return [
    table(['WHAT', 'HERE', 'THERE', 'HASH'], rows),
    '',
    ...problems.map((problem) => color('red', `refused there: ${printable(problem)}`)),
    ...shown.map((line) => color('red', line)),
    differenceCount === 0
      ? `Moved to ${to}, and compared. The folder is as it was, and rockpool start refuses it until ${migrationFile(from)} is removed.`
      : `${differenceCount} differences. Nothing over there was replaced. ${movedBefore ? afterMove : beforeMove}`,
  ].join('\n');
}
