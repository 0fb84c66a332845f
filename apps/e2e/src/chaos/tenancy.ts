import type { ChaosChannel } from './options.js';

/** Credentials of one tenant of the run. */
export interface ChaosTenant {
  readonly id: string;
  /** Its own Telegram bot; on the shared bot, the people who are led to it. */
  readonly telegram?: { readonly botToken: string; readonly secret: string } | { readonly people: readonly number[] };
  readonly slack?: { readonly team: string; readonly botToken: string; readonly signingSecret: string };
  readonly http?: { readonly secret: string; readonly replyUrl: string };
}

export const sharedBot = { botToken: '900000:shared-token', secret: 'shared-webhook-secret' };

const peoplePerTenant = 1_000;

/** Telegram ids of the people of a tenant; nobody writes to two tenants. */
export function personId(tenantIndex: number, n: number): number {
  return 1_000_000 + tenantIndex * peoplePerTenant + (n % peoplePerTenant);
}

/** The tenants of a run. Each fifth is on the shared Telegram bot, the others have bots of their own. */
export function chaosTenants(count: number, channels: readonly ChaosChannel[], replyUrls: readonly string[]): ChaosTenant[] {
  return Array.from({ length: count }, (_, index) => {
    const id = `t${String(index + 1).padStart(2, '0')}`;
    const isShared = index % 5 === 4;
    const people = Array.from({ length: peoplePerTenant }, (_, n) => personId(index, n));
    return {
      id,
      ...(channels.includes('telegram') && {
        telegram: isShared ? { people } : { botToken: `${100_000 + index}:${id}-token`, secret: `${id}-webhook-secret` },
      }),
      ...(channels.includes('slack') && {
        slack: { team: `T${id.toUpperCase()}`, botToken: `xoxb-${id}`, signingSecret: `${id}-signing-secret` },
      }),
      ...(channels.includes('http') && { http: { secret: httpSecret(index), replyUrl: replyUrls[index]! } }),
    };
  });
}

/** The signing secret of a tenant's Standard Webhooks, both ways. */
export function httpSecret(tenantIndex: number): string {
  return `whsec_${Buffer.from(`thirty-two bytes of tenant ${String(tenantIndex).padStart(5, '0')}`).toString('base64')}`;
}

/** The tenants as an operator writes them, with the values of the secrets beside. */
export function tenantsFileOf(tenants: readonly ChaosTenant[]): { tenantsFile: string; secrets: Record<string, string> } {
  const secrets: Record<string, string> = {};
  const secret = (name: string, value: string): string => {
    secrets[name] = value;
    return `env://${name}`;
  };
  const spec = ({ id, telegram, slack, http }: ChaosTenant) => {
    const prefix = id.toUpperCase();
    return {
      displayName: id,
      channels: {
        ...(telegram &&
          ('people' in telegram
            ? { telegram: { shared: true, people: telegram.people } }
            : {
                telegram: {
                  botToken: secret(`${prefix}_TELEGRAM_TOKEN`, telegram.botToken),
                  webhookSecret: secret(`${prefix}_TELEGRAM_SECRET`, telegram.secret),
                  dmPolicy: 'open',
                },
              })),
        ...(slack && {
          slack: {
            team: slack.team,
            botToken: secret(`${prefix}_SLACK_TOKEN`, slack.botToken),
            signingSecret: secret(`${prefix}_SLACK_SECRET`, slack.signingSecret),
          },
        }),
        ...(http && { http: { secret: secret(`${prefix}_HTTP_SECRET`, http.secret), replyUrl: http.replyUrl } }),
      },
    };
  };
  const shared = {
    telegram: {
      botToken: secret('SHARED_TELEGRAM_TOKEN', sharedBot.botToken),
      webhookSecret: secret('SHARED_TELEGRAM_SECRET', sharedBot.secret),
    },
  };
  // JSON is YAML.
  const file = { shared, tenants: Object.fromEntries(tenants.map((tenant) => [tenant.id, spec(tenant)])) };
  return { tenantsFile: JSON.stringify(file), secrets };
}
