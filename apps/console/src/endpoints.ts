import type { TenantId } from '@rockpool/contracts';
import type { TenantSpec } from '@rockpool/tenancy';

/** Paths below the public URL at which a tenant's channels deliver, and people chat. A shared bot delivers to the platform's own path. */
export function endpointsOf(id: TenantId, { channels: { telegram, slack, web, http } }: TenantSpec): { channel: string; path: string }[] {
  const webhook = (channel: string, shared: boolean) => ({ channel, path: shared ? `/webhooks/${channel}` : `/webhooks/${channel}/${id}` });
  return [
    ...(telegram ? [webhook('telegram', telegram.shared)] : []),
    ...(slack ? [webhook('slack', slack.shared)] : []),
    ...(http ? [webhook('http', false)] : []),
    ...(web ? [{ channel: 'web', path: `/chat/${id}` }] : []),
  ];
}
