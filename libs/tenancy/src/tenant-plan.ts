import type { TenantId } from '@rockpool/contracts';
import type { SettingsProblem } from './tenants-file.js';

/** What will happen to one tenant. `fields` are dotted paths of settings, `secrets.<field>` for a new secret value, `routes` when only its routes move. */
export interface TenantChange {
  readonly id: TenantId;
  readonly kind: 'added' | 'changed' | 'removed';
  readonly fields: readonly string[];
}

/** What applying a file would do. Holds no secret, so it may be printed. With problems it cannot be applied. */
export interface Plan {
  /** By tenant id. */
  readonly changes: readonly TenantChange[];
  readonly unchanged: number;
  /** Dotted paths of the shared bots' settings that change. */
  readonly shared: readonly string[];
  /** Dotted paths of what changes in how operators are told. */
  readonly alerts: readonly string[];
  readonly problems: readonly SettingsProblem[];
  /** Allowed, but probably not meant: a channel that lets nobody in. */
  readonly warnings: readonly SettingsProblem[];
}

/** Dotted paths at which two JSON values differ. Lists are compared as wholes. */
export function changedFields(before: unknown, after: unknown, path: readonly string[] = []): string[] {
  if (isMapping(before) && isMapping(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => changedFields(before[key], after[key], [...path, key]));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [path.join('.')];
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
