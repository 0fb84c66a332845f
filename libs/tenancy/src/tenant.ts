import { conversationId, tenantId, type TenantId } from '@rockpool/contracts';
import { z } from 'zod';

/**
 * The desired state of one tenant, as an operator writes it in `tenants.yaml` and as it is stored at `tenants/{t}`. In the file a secret may be
 * `env://NAME` or `file://path`; what is stored is always `secret://<tenant>/<field>`: a reference, never a value.
 */

/** `secret://tenant/field`, `env://NAME` or `file://path`. */
export const secretRef = z
  .string()
  .regex(
    /^(?:secret:\/\/[a-z0-9-]+\/[a-z0-9-]+|env:\/\/[A-Za-z_][A-Za-z0-9_]*|file:\/\/.+)$/,
    'a secret is given as secret://tenant/field, env://NAME or file://path, never as a value',
  );

/** Who may speak to the assistant in a direct chat. `allowlist` with nobody in it means nobody. */
const dmPolicy = z.enum(['allowlist', 'open']);
/** Ids of people, chats or channels as the provider writes them; YAML reads most of Telegram's as numbers. */
const people = z.array(z.union([z.string().min(1), z.int()], 'an id is text or a whole number').transform(String));

const ownTelegram = z.strictObject({
  shared: z.literal(false).default(false),
  botToken: secretRef,
  webhookSecret: secretRef,
  dmPolicy: dmPolicy.default('allowlist'),
  allowFrom: people.default([]),
  /** Group chats by id in which the bot answers when it is addressed, whoever of the group addresses it. */
  groups: people.default([]),
});
const sharedTelegram = z.strictObject({ shared: z.literal(true), people: people.default([]), groups: people.default([]) });

const ownSlack = z.strictObject({
  shared: z.literal(false).default(false),
  team: z.string().min(1),
  botToken: secretRef,
  signingSecret: secretRef,
  /** `open`: everyone of that team. A person of another team (Slack Connect) must be in `allowFrom` all the same, as `<team>:<user>`. */
  dmPolicy: dmPolicy.default('open'),
  allowFrom: people.default([]),
  /** Channels in which it answers when mentioned; empty: every channel it was invited to. */
  channels: people.default([]),
});
const sharedSlack = z.strictObject({
  shared: z.literal(true),
  team: z.string().min(1),
  /** `allowlist`: only the listed people and channels. `open`: everyone of that team, in every channel that no other tenant lists. */
  dmPolicy: dmPolicy.default('allowlist'),
  channels: people.default([]),
  people: people.default([]),
});

export const channelSettings = z.strictObject({
  telegram: z.discriminatedUnion('shared', [ownTelegram, sharedTelegram]).optional(),
  slack: z.discriminatedUnion('shared', [ownSlack, sharedSlack]).optional(),
  web: z.strictObject({ access: z.enum(['public', 'link']).default('link') }).optional(),
  /** Standard Webhooks: requests signed with `secret` (`whsec_…`) in, answers signed with it out to `replyUrl` where one is given. */
  http: z.strictObject({ secret: secretRef, replyUrl: z.url().optional() }).optional(),
});
export type ChannelSettings = z.output<typeof channelSettings>;

/** What the tenant pays for; `plans` has the terms. */
export const planName = z.enum(['free', 'starter', 'pro']);
export type PlanName = z.infer<typeof planName>;

/**
 * What becomes of a message that comes while the conversation's turn runs. `followup`: it waits and is answered next. `collect`: all that wait are answered
 * together, in one next turn. `steer`: the running turn takes it in between its steps. `interrupt`: the running turn is ended and begins anew with both in view.
 */
export const overlapPolicy = z.enum(['followup', 'collect', 'steer', 'interrupt']);
export type OverlapPolicy = z.infer<typeof overlapPolicy>;

/** Messages a minute are a sliding window: what comes above that is recorded as dropped, and the person told once a minute. */
export const tenantLimits = z.strictObject({
  /** Of the whole tenant. Absent: no limit. */
  messagesPerMinute: z.int().min(1).max(1_000_000).optional(),
  /** Of one person, on all chats of a channel. Absent: no limit. Requests signed with the tenant's own secret (`http`) count for the tenant only. */
  senderMessagesPerMinute: z.int().min(1).max(500).optional(),
  /** Jobs at once: `min` at any time, up to `max` while there is room. Absent: what the plan says. */
  jobs: z
    .strictObject({ min: z.int().min(1).max(100), max: z.int().min(1).max(500) })
    .refine(({ min, max }) => min <= max, 'min is at most max')
    .optional(),
});

/** `auto`, `demo`, or `<provider>/<model>`. */
export const modelName = z
  .string()
  .regex(
    /^(?:auto|demo|(?:anthropic|openai|google|openai-compatible)\/.+)$/,
    'a model is auto, demo, or anthropic/…, openai/…, google/…, openai-compatible/…',
  );

export const agentSettings = z.strictObject({
  runtime: z.enum(['builtin']).default('builtin'),
  model: modelName.default('auto'),
  instructions: z.string().max(20_000).default('You are a helpful assistant.'),
  /** For every chat that was not told otherwise by `/queue`. */
  overlap: overlapPolicy.default('followup'),
  /** A turn begins once its sender has been silent for so long, so that what is sent in pieces is seen together. At most 10 s. */
  debounceMs: z.int().min(0).max(10_000).default(0),
  /** Keys of this tenant's own, used instead of the platform's. */
  keys: z
    .strictObject({
      anthropic: secretRef.optional(),
      openai: secretRef.optional(),
      google: secretRef.optional(),
      'openai-compatible': secretRef.optional(),
    })
    .default({}),
});
export type AgentSettings = z.output<typeof agentSettings>;

const timeZone = z.string().max(60).refine(isTimeZone, 'a time zone is an IANA name such as Europe/Paris');
const localTime = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:?\d{2})?$/;

/** What is said in a conversation at its times: `cron` or `at`, and `prompt` or `heartbeat`. Whether the times make sense is looked at by whoever plans. */
export const tenantSchedule = z
  .strictObject({
    /** Five fields. */
    cron: z.string().min(1).max(200).optional(),
    /** A local date and time. */
    at: z.string().regex(localTime, 'a date and time is written as 2026-11-21T09:00, in quotes').optional(),
    /** Default: the tenant's. */
    timeZone: timeZone.optional(),
    /** As `rockpool inbox` shows it. */
    conversation: conversationId,
    /** What the agent is asked. */
    prompt: z.string().min(1).max(10_000).optional(),
    /** The same, but the agent may find that there is nothing to say. */
    heartbeat: z.string().min(1).max(10_000).optional(),
    /** What becomes of an occurrence that could not come in time. */
    missed: z.enum(['fire-late', 'skip']).default('fire-late'),
    quietHours: z.strictObject({ from: z.string(), to: z.string(), then: z.enum(['skip', 'later']).default('skip') }).optional(),
  })
  .refine(({ cron, at }) => (cron === undefined) !== (at === undefined), 'a schedule has either cron or at')
  .refine(({ prompt, heartbeat }) => (prompt === undefined) !== (heartbeat === undefined), 'a schedule has either prompt or heartbeat');
export type TenantSchedule = z.output<typeof tenantSchedule>;

export const tenantSpec = z.strictObject({
  displayName: z.string().min(1).max(200).optional(),
  plan: planName.default('free'),
  /** A suspended tenant's channels are still answered with 2xx; nothing runs, every event is recorded as dropped. */
  suspended: z.boolean().default(false),
  /** In which times are understood and shown. Default: UTC. */
  timeZone: timeZone.optional(),
  agent: agentSettings.prefault({}),
  limits: tenantLimits.prefault({}),
  channels: channelSettings.default({}),
  /** By name. */
  schedules: z.record(z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'a schedule is named with a-z, 0-9 and -'), tenantSchedule).optional(),
  host: z.strictObject({ mode: z.enum(['pooled']).default('pooled') }).prefault({}),
});
export type TenantSpec = z.output<typeof tenantSpec>;

/** The platform's own bots, routed to tenants by person, team or chat. */
export const sharedSettings = z.strictObject({
  telegram: z.strictObject({ botToken: secretRef, webhookSecret: secretRef }).optional(),
  slack: z.strictObject({ botToken: secretRef, signingSecret: secretRef }).optional(),
});
export type SharedSettings = z.output<typeof sharedSettings>;

/** Where operators are told what they have to know, each way that is described. An incoming webhook of Slack is a secret as a whole: whoever has it can post. */
export const alertSettings = z.strictObject({
  telegram: z.strictObject({ botToken: secretRef, chatId: z.union([z.string().min(1), z.int()]).transform(String) }).optional(),
  slack: z
    .strictObject({ webhookUrl: secretRef.optional(), botToken: secretRef.optional(), channel: z.string().min(1).optional() })
    .refine(
      ({ webhookUrl, botToken, channel }) =>
        webhookUrl === undefined ? botToken !== undefined && channel !== undefined : botToken === undefined && channel === undefined,
      'Slack is told through either webhookUrl, or botToken and channel',
    )
    .optional(),
  /** Standard Webhooks: signed with `secret` (`whsec_…`). */
  webhook: z.strictObject({ url: z.url({ protocol: /^https?$/ }), secret: secretRef }).optional(),
});
export type AlertSettings = z.output<typeof alertSettings>;

/** The whole of `tenants.yaml`. */
export const tenantsFile = z.strictObject({
  shared: sharedSettings.default({}),
  alerts: alertSettings.default({}),
  tenants: z.record(tenantId, tenantSpec),
});
export type TenantsFile = z.output<typeof tenantsFile>;

/** A tenant as running apps see it. */
export interface Tenant {
  readonly id: TenantId;
  readonly spec: TenantSpec;
  /** Changes with every applied change. */
  readonly version: string;
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
