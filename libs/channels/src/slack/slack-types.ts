import { z } from 'zod';

/**
 * The parts of Slack's deliveries that Rockpool reads. An optional part of an unforeseen shape is as good as absent, so that an addition to the API
 * never costs a message. https://docs.slack.dev/apis/events-api
 */
function optional<Schema extends z.ZodType>(schema: Schema) {
  return schema.optional().catch(undefined);
}

const text = optional(z.string());
/** A user, channel or team: an id in most events, an object in some. */
const idOrObject = optional(z.union([z.string(), z.object({ id: z.string() }).transform(({ id }) => id)]));

const file = z.object({
  id: text,
  name: text,
  title: text,
  mimetype: text,
  size: optional(z.int().min(0)),
  url_private: text,
});
export type SlackFile = z.output<typeof file>;

const slackMessage = z.object({
  subtype: text,
  user: text,
  username: text,
  bot_id: text,
  app_id: text,
  bot_profile: optional(z.object({ app_id: text })),
  team: text,
  user_team: text,
  source_team: text,
  user_profile: optional(z.object({ display_name: text, real_name: text })),
  text,
  ts: text,
  thread_ts: text,
  parent_user_id: text,
  files: optional(z.array(file)),
});
export type SlackMessage = z.output<typeof slackMessage>;

/** Any event: what a message has, and where other events keep who and where. */
export const slackEvent = slackMessage.extend({
  type: z.string(),
  user: idOrObject,
  user_id: text,
  channel: idOrObject,
  channel_id: text,
  channel_type: text,
  event_ts: text,
  reaction: text,
  item: optional(z.object({ channel: text, ts: text })),
  message: optional(slackMessage),
  previous_message: optional(slackMessage),
  deleted_ts: text,
  assistant_thread: optional(z.object({ user_id: text, channel_id: text, thread_ts: text })),
});
export type SlackEvent = z.output<typeof slackEvent>;

export const slackDelivery = z.object({
  type: z.string(),
  challenge: z.unknown().optional(),
  team_id: text,
  api_app_id: text,
  event: z.unknown().optional(),
  event_id: text,
  event_time: optional(z.number()),
  minute_rate_limited: optional(z.number()),
  authorizations: optional(z.array(z.object({ user_id: text, is_bot: optional(z.boolean()) }))),
});
export type SlackDelivery = z.output<typeof slackDelivery>;

/** What a button, menu, shortcut or dialog sends. https://docs.slack.dev/interactivity/handling-user-interaction */
export const slackInteraction = z.object({
  type: z.string(),
  api_app_id: text,
  trigger_id: text,
  callback_id: text,
  team: idOrObject,
  user: z.object({ id: z.string(), team_id: text, name: text, username: text }),
  channel: idOrObject,
  message: optional(z.object({ ts: text, thread_ts: text })),
  actions: optional(z.array(z.object({ action_id: text, value: text, selected_option: optional(z.object({ value: text })) }))),
});
