import { InvalidInput, type InboundMessage } from '@rockpool/contracts';
import { makeEventId } from '../inbound-ids.js';
import { parseJsonText } from '../json-body.js';
import { isDirectChannel, type SlackApp } from './slack-app.js';
import { readableText } from './slack-text.js';
import { slackInteraction } from './slack-types.js';

/**
 * A slash command is a message to the bot: what follows the command, or the command itself when nothing does (`/stop`). Each is triggered once and never
 * retried, so its trigger is its id. https://docs.slack.dev/interactivity/implementing-slash-commands
 */
export function readSlashCommand(form: URLSearchParams, app: SlackApp, fallbackId: string): InboundMessage {
  const user = required(form, 'user_id');
  const command = required(form, 'command');
  const channel = form.get('channel_id') ?? undefined;
  const direct = isDirectChannel(channel);
  const displayName = form.get('user_name');
  return {
    ...app.envelope({ channel, direct }),
    eventId: triggerEventId(app, form.get('trigger_id'), fallbackId),
    kind: 'message',
    providerType: 'slash_command',
    sender: { id: app.senderId(user, form.get('team_id') ?? undefined), isBot: false, ...(displayName && { displayName }) },
    text: readableText(form.get('text')?.trim() || command),
    attachments: [],
    addressed: true,
    sentAt: app.receivedAt.toISOString(),
  };
}

/** A pressed button, a chosen entry, a submitted dialog or a shortcut. */
export function readInteraction(payload: unknown, makeApp: (id: string, team?: string) => SlackApp, fallbackId: string): InboundMessage {
  const parsed = slackInteraction.safeParse(payload);
  if (!parsed.success) throw new InvalidInput('the interaction has no type or no user');
  const { type, user, channel, team, message, actions, callback_id: callbackId } = parsed.data;
  const app = makeApp(parsed.data.api_app_id ?? 'none', team ?? user.team_id);
  const [action] = actions ?? [];
  const direct = isDirectChannel(channel);
  const displayName = user.name ?? user.username;
  return {
    ...app.envelope({
      channel,
      messageTs: message?.ts,
      threadTs: message?.thread_ts ?? (direct ? undefined : message?.ts),
      direct,
    }),
    eventId: triggerEventId(app, parsed.data.trigger_id, fallbackId),
    kind: 'callback',
    providerType: type,
    sender: { id: app.senderId(user.id, user.team_id), isBot: false, ...(displayName !== undefined && { displayName }) },
    text: action?.value ?? action?.selected_option?.value ?? action?.action_id ?? callbackId ?? '',
    attachments: [],
    addressed: true,
    sentAt: app.receivedAt.toISOString(),
  };
}

/** The JSON of the form's `payload`. Throws `InvalidInput` when it is not JSON. */
export function payloadOf(form: URLSearchParams): unknown {
  return parseJsonText(form.get('payload') ?? '');
}

function triggerEventId(app: SlackApp, trigger: string | null | undefined, fallbackId: string) {
  return makeEventId('slack', app.id, 'trigger', trigger || fallbackId);
}

function required(form: URLSearchParams, field: string): string {
  const value = form.get(field);
  if (value === null || value === '') throw new InvalidInput(`the form has no ${field}`);
  return value;
}
