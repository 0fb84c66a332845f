import type { TenantSpec } from './tenant.js';
import type { SettingsProblem } from './tenants-file.js';

/** Channels of a tenant that, as they are set, nobody can use: allowed, because closed is the safe side, but worth a word. */
export function closedChannels({ channels: { telegram, slack, web, http } }: TenantSpec): SettingsProblem[] {
  const warnings: SettingsProblem[] = [];
  const warn = (channel: string, message: string) => warnings.push({ path: ['channels', channel], message });
  if (telegram?.shared && telegram.people.length + telegram.groups.length === 0) {
    warn('telegram', 'lets nobody in: list people or groups by their Telegram ids');
  }
  if (telegram?.shared === false && telegram.dmPolicy === 'allowlist' && telegram.allowFrom.length + telegram.groups.length === 0) {
    warn('telegram', 'lets nobody in: list people in allowFrom, or set dmPolicy: open');
  }
  if (slack?.shared && slack.dmPolicy === 'allowlist' && slack.channels.length + slack.people.length === 0) {
    warn('slack', 'lets nobody in: list channels or people, or set dmPolicy: open for the whole team');
  }
  if (!telegram && !slack && !web && !http)
    warnings.push({ path: ['channels'], message: 'there is none, so nobody can reach this tenant' });
  return warnings;
}
