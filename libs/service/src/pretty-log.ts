import { styleText } from 'node:util';

interface Sink {
  write(line: string): void;
}

type Style = Parameters<typeof styleText>[0];

const styles: Readonly<Record<string, { word: string; style: Style }>> = {
  DEBUG: { word: 'debug', style: 'gray' },
  INFO: { word: 'info ', style: 'green' },
  WARNING: { word: 'warn ', style: 'yellow' },
  ERROR: { word: 'error', style: 'red' },
  CRITICAL: { word: 'fatal', style: ['bold', 'red'] },
};

/** Fields that say nothing to a person who watches one service in a terminal. */
const quiet = new Set(['severity', 'time', 'message', 'service', 'error', 'traceId', 'spanId']);

/** Turns JSON log lines into short ones for a person: time, level, message, fields; an error's stack indented below. Coloured where the terminal wants it. */
export function prettyLines(sink: Sink): Sink {
  return { write: (line) => sink.write(prettyLine(line)) };
}

function prettyLine(line: string): string {
  const record = JSON.parse(line) as Record<string, unknown> & { error?: { stack?: string; message?: string; code?: string } };
  const { word, style } = styles[String(record['severity'])] ?? styles['INFO']!;
  const time = new Date(String(record['time'])).toLocaleTimeString('en-GB');
  const fields = Object.entries(record)
    .filter(([key]) => !quiet.has(key) && !key.startsWith('logging.googleapis.com/'))
    .map(([key, value]) => colour('gray', `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`));
  const trace = typeof record['traceId'] === 'string' && record.error ? [colour('gray', `trace=${record['traceId']}`)] : [];
  const head = [colour('gray', time), colour(style, word), String(record['message'] ?? ''), ...fields, ...trace].join(' ');
  const stack = record.error ? `${record.error.stack ?? record.error.message ?? ''}`.replace(/^/gm, '    ') : undefined;
  return stack === undefined ? `${head}\n` : `${head}\n${colour('gray', stack)}\n`;
}

/** Honours NO_COLOR and a stdout that is no terminal. */
function colour(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout, validateStream: true });
}
