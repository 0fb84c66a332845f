import type { Json } from '../wire/json.js';
import { readable, textOfBlocks } from './mrkdwn.js';
import type { SlackMessage, SlackUser, VisibleSlackMessage } from './types.js';

/** What happened in a channel. */
export interface SlackChannelEvent {
  readonly kind: 'posted' | 'changed' | 'deleted' | 'status';
  readonly message?: SlackMessage;
  readonly previous?: SlackMessage;
}

interface Entry {
  readonly message: SlackMessage;
  readonly revisions: { text: string; at: number }[];
}

// The status of an assistant goes away by itself after two minutes.
const statusMs = 120_000;

/** A channel, a group or a direct message: its messages in the order they were posted. */
export class SlackChannel {
  private readonly entries = new Map<string, Entry>();
  private readonly listeners = new Set<(event: SlackChannelEvent) => void>();
  private readonly statuses = new Map<string, { readonly text: string; readonly until: number }>();
  private lastTs = 0;

  constructor(
    readonly id: string,
    readonly team: string,
    readonly type: 'channel' | 'group' | 'im',
    private readonly now: () => number,
    private readonly userOf: (id: string) => SlackUser | undefined,
  ) {}

  /** Puts a message in; its ts is given here. */
  post(user: SlackUser, content: Partial<SlackMessage> & { text: string }): SlackMessage {
    const message: SlackMessage = { ...content, type: 'message', user: user.id, team: user.team, ts: this.nextTs() };
    this.entries.set(message.ts, { message, revisions: [{ text: message.text, at: this.now() }] });
    if (user.isBot) this.statuses.delete(message.thread_ts ?? '');
    this.tell({ kind: 'posted', message });
    return message;
  }

  change(ts: string, editor: SlackUser, content: Partial<SlackMessage> & { text: string }): SlackMessage | undefined {
    const entry = this.entries.get(ts);
    if (!entry) return undefined;
    const previous = { ...entry.message };
    Object.assign(entry.message, content, { edited: { user: editor.id, ts: `${Math.floor(this.now() / 1000)}.000000` } });
    entry.revisions.push({ text: content.text, at: this.now() });
    this.tell({ kind: 'changed', message: entry.message, previous });
    return entry.message;
  }

  delete(ts: string): boolean {
    const previous = this.entries.get(ts)?.message;
    this.entries.delete(ts);
    if (previous) this.tell({ kind: 'deleted', previous });
    return previous !== undefined;
  }

  find(ts: string): SlackMessage | undefined {
    return this.entries.get(ts)?.message;
  }

  /** Messages outside of threads, newest first. */
  history(): SlackMessage[] {
    return this.messages()
      .filter(({ ts, thread_ts }) => thread_ts === undefined || thread_ts === ts)
      .reverse();
  }

  /** A message and the answers in its thread, oldest first. */
  thread(ts: string): SlackMessage[] {
    return this.messages().filter((message) => message.ts === ts || message.thread_ts === ts);
  }

  setStatus(threadTs: string, text: string): void {
    if (text) this.statuses.set(threadTs, { text, until: this.now() + statusMs });
    else this.statuses.delete(threadTs);
    this.tell({ kind: 'status' });
  }

  /** The assistant's status shown in a thread, if one is. */
  status(threadTs: string): string | undefined {
    const status = this.statuses.get(threadTs);
    return status && status.until > this.now() ? status.text : undefined;
  }

  visible(): VisibleSlackMessage[] {
    return [...this.entries.values()].map(({ message, revisions }) => ({
      ts: message.ts,
      threadTs: message.thread_ts,
      from: message.bot_id === undefined ? ('person' as const) : ('bot' as const),
      user: message.user,
      text: readable(message.blocks ? textOfBlocks(message.blocks) || message.text : message.text, (id) => this.userOf(id)?.name),
      source: message.text,
      metadata: message.metadata as Json | undefined,
      revisions: revisions.map((revision) => ({ ...revision })),
    }));
  }

  /** Calls the listener at every change; the function that is returned ends it. */
  listen(listener: (event: SlackChannelEvent) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** A time no message of this channel has. */
  nextTs(): string {
    this.lastTs = Math.max(this.lastTs + 1, Math.floor(this.now()) * 1000);
    return `${Math.floor(this.lastTs / 1e6)}.${String(this.lastTs % 1e6).padStart(6, '0')}`;
  }

  private messages(): SlackMessage[] {
    return [...this.entries.values()].map(({ message }) => message);
  }

  private tell(event: SlackChannelEvent): void {
    for (const listener of this.listeners) listener(event);
  }
}
