import type { SecretName } from '@rockpool/cloud';
import type { TenantId } from '@rockpool/contracts';
import type { AlertSettings, SharedSettings, TenantSpec } from './tenant.js';

/** Owner of the platform's own secrets, as in `secret://platform/telegram-bot-token`. No tenant may have this name. */
export const platform = 'platform';

/** One place of the settings that holds a reference to a secret. */
export interface SecretSlot {
  /** Where it stands, below the tenant, `shared` or `alerts`: `channels.telegram.botToken`. */
  readonly path: readonly string[];
  /** As written: `secret://…`, `env://…` or `file://…`. */
  readonly ref: string;
  /** Where its value is stored: what `secret://` names, else the place's usual name, `telegram-bot-token`. */
  readonly name: SecretName;
}

/** Where a setting's secret is stored unless its reference says otherwise. */
const usualFields: readonly { path: readonly string[]; field: string }[] = [
  { path: ['channels', 'telegram', 'botToken'], field: 'telegram-bot-token' },
  { path: ['channels', 'telegram', 'webhookSecret'], field: 'telegram-webhook-secret' },
  { path: ['channels', 'slack', 'botToken'], field: 'slack-bot-token' },
  { path: ['channels', 'slack', 'signingSecret'], field: 'slack-signing-secret' },
  { path: ['channels', 'http', 'secret'], field: 'http-secret' },
  { path: ['agent', 'keys', 'anthropic'], field: 'anthropic-key' },
  { path: ['agent', 'keys', 'openai'], field: 'openai-key' },
  { path: ['agent', 'keys', 'google'], field: 'google-key' },
  { path: ['agent', 'keys', 'openai-compatible'], field: 'openai-compatible-key' },
];

const usualAlertFields: typeof usualFields = [
  { path: ['telegram', 'botToken'], field: 'alerts-telegram-bot-token' },
  { path: ['slack', 'webhookUrl'], field: 'alerts-slack-webhook-url' },
  { path: ['slack', 'botToken'], field: 'alerts-slack-bot-token' },
  { path: ['webhook', 'secret'], field: 'alerts-webhook-secret' },
];

/** Every secret a tenant's settings refer to. */
export function secretSlots(tenantId: TenantId, spec: TenantSpec): SecretSlot[] {
  return slotsOf(tenantId, spec, usualFields);
}

/** Every secret the shared bots' settings refer to. */
export function sharedSecretSlots(shared: SharedSettings): SecretSlot[] {
  const below = usualFields.filter(({ path }) => path[0] === 'channels').map(({ path, field }) => ({ path: path.slice(1), field }));
  return slotsOf(platform, shared, below);
}

/** Every secret that telling operators takes. */
export function alertSecretSlots(alerts: AlertSettings): SecretSlot[] {
  return slotsOf(platform, alerts, usualAlertFields);
}

/** The same settings with every reference in its stored form, `secret://owner/field`. */
export function withStoredRefs<Settings extends object>(settings: Settings, slots: readonly SecretSlot[]): Settings {
  const stored = structuredClone(settings);
  for (const { path, name } of slots) {
    const holder = path.slice(0, -1).reduce<unknown>((value, part) => (value as Record<string, unknown>)[part], stored);
    (holder as Record<string, unknown>)[path.at(-1) as string] = `secret://${name.tenant}/${name.field}`;
  }
  return stored;
}

/** Takes `secret://owner/field` apart; `undefined` for any other reference. */
export function storedSecret(ref: string): SecretName | undefined {
  const [, tenant, field] = /^secret:\/\/([^/]+)\/([^/]+)$/.exec(ref) ?? [];
  return tenant !== undefined && field !== undefined ? { tenant, field } : undefined;
}

function slotsOf(owner: string, settings: object, fields: typeof usualFields): SecretSlot[] {
  return fields.flatMap(({ path, field }) => {
    const ref = path.reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], settings);
    return typeof ref === 'string' ? [{ path, ref, name: storedSecret(ref) ?? { tenant: owner, field } }] : [];
  });
}
