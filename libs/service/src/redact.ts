const hidden = '[redacted]';

/** Secrets that are recognised by how they look, wherever they stand: in a message, an error, a URL. */
const secretPattern = new RegExp(
  [
    '\\d{3,}:[A-Za-z0-9_-]{30,}', // Telegram bot token
    'xox[a-z]-[A-Za-z0-9-]{8,}', // Slack
    'xapp-[A-Za-z0-9-]{8,}',
    'sk-[A-Za-z0-9_-]{8,}', // OpenAI, Anthropic and their kin
    'AIza[A-Za-z0-9_-]{30,}', // Google API key
    'whsec_[A-Za-z0-9+/=_-]{8,}', // Standard Webhooks
    'eyJ[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]*', // JSON Web Token
    '(?<=\\b(?:Bearer|Basic)\\s{1,4})[A-Za-z0-9._~+/=-]{6,}',
    '(?<=://)[^\\s/@"\'\\\\]{1,200}:[^\\s/@"\'\\\\]{1,200}(?=@)', // user:password in a URL
  ].join('|'),
  'gi',
);

const secretKey =
  /(?:token|secret|passwo?r?d|passphrase|authorization|cookie|api[-_]?key|private[-_]?key|access[-_]?key|credential|signature)s?$/i;

/** The text with everything that looks like a secret replaced. */
export function redactText(text: string): string {
  return text.replace(secretPattern, hidden);
}

/**
 * A copy of a log record's fields in which the strings under telling keys (`botToken`, `authorization`, `apiKey` …) are replaced, at any depth. References such as
 * `secret://alice/telegram-bot-token` stay: they are no secrets. Numbers stay too, so that `outputTokens` can be counted.
 */
export function redactFields(fields: Record<string, unknown>, depth = 0): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    copy[key] = typeof value === 'string' && secretKey.test(key) && !value.startsWith('secret://') ? hidden : redactValue(value, depth + 1);
  }
  return copy;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > 6) return '[too deep]';
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Error || value instanceof Date || value instanceof URL) return value;
  return redactFields(value as Record<string, unknown>, depth);
}
