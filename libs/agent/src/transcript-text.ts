import type { TranscriptMessage } from '@rockpool/conversations';

const maxNameCharacters = 60;

/**
 * What a model is shown of a message: its text, and a line for each attachment. With several people in the conversation their names come first; a name is
 * chosen by its bearer, so it is cut to one harmless line.
 */
export function transcriptText(message: TranscriptMessage, named: boolean): string {
  const attachments = (message.attachments ?? []).map(
    ({ kind, name, mimeType }) => `[attached: ${[kind, name && oneLine(name), mimeType && oneLine(mimeType)].filter(Boolean).join(', ')}]`,
  );
  const text = [message.text.trim(), ...attachments].filter(Boolean).join('\n') || (message.role === 'user' ? '[an empty message]' : '');
  return named && message.role === 'user' && message.senderName ? `${oneLine(message.senderName)}: ${text}` : text;
}

/** True when more than one person writes, so that the model must be told who says what. */
export function hasSeveralSpeakers(messages: readonly TranscriptMessage[]): boolean {
  const names = new Set<string | undefined>();
  for (const message of messages) if (message.role === 'user') names.add(message.senderName);
  return names.size > 1;
}

/** A name or label of a stranger's choosing, made fit for the middle of a prompt. */
export function oneLine(text: string): string {
  return text
    .replace(/[\s\p{C}]+/gu, ' ')
    .trim()
    .slice(0, maxNameCharacters)
    .toWellFormed();
}
