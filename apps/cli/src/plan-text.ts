import { removedKeptDays, type Plan, type TenantChange } from '@rockpool/tenancy';
import { color } from './output.js';

const marks = { added: ['green', '+'], changed: ['yellow', '~'], removed: ['red', '-'] } as const;

/** A plan for people: `+` added, `~` changed with what changes, `-` removed, and the sum. */
export function planText({ changes, unchanged, shared, alerts }: Plan): string {
  const lines = changes.map(changeLine);
  if (alerts.length > 0) lines.unshift(color('yellow', `~ alerts: ${alerts.join(', ')}`));
  if (shared.length > 0) lines.unshift(color('yellow', `~ shared bots: ${shared.join(', ')}`));
  const count = (kind: TenantChange['kind']) => changes.filter((change) => change.kind === kind).length;
  const sum = `${count('added')} to add, ${count('changed')} to change, ${count('removed')} to remove, ${unchanged} unchanged.`;
  return [...lines, ...(lines.length > 0 ? [''] : []), sum].join('\n');
}

/** Whether applying it would do anything. */
export function hasChanges({ changes, shared, alerts }: Plan): boolean {
  return changes.length + shared.length + alerts.length > 0;
}

function changeLine({ id, kind, fields }: TenantChange): string {
  const [name, mark] = marks[kind];
  const detail =
    kind === 'removed'
      ? ` (its data stays for ${removedKeptDays} days, its secrets stay)`
      : fields.length > 0
        ? `: ${fields.join(', ')}`
        : '';
  return color(name, `${mark} ${id}${detail}`);
}
