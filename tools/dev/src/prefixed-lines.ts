import { styleText } from 'node:util';

const colours = ['cyan', 'magenta', 'yellow', 'green', 'blue'] as const;

/** Lines of several processes in one terminal: each begins with who said it, in a colour of its own, and logs in JSON become a short line. */
export class PrefixedLines {
  private readonly width: number;

  constructor(
    private readonly apps: readonly string[],
    private readonly copies: number,
    private readonly write: (text: string) => void,
  ) {
    this.width = Math.max(...apps.map((app) => this.labelOf(app, 0).length));
  }

  print(app: string, copy: number, line: string): void {
    const label = this.labelOf(app, copy).padEnd(this.width);
    this.write(`${styleText(colours[this.apps.indexOf(app) % colours.length] ?? 'white', label)} ${readable(line)}\n`);
  }

  private labelOf(app: string, copy: number): string {
    return this.copies === 1 ? app : `${app}.${copy + 1}`;
  }
}

function readable(line: string): string {
  const record = recordIn(line);
  if (typeof record?.['message'] !== 'string') return line;
  const { severity, message, time: _time, service: _service, ...rest } = record;
  const more = Object.keys(rest).length > 0 ? ` ${JSON.stringify(rest)}` : '';
  const text = `${String(severity ?? '').padEnd(7)} ${message}`;
  return `${severity === 'ERROR' || severity === 'CRITICAL' ? styleText('red', text) : text}${styleText('dim', more)}`;
}

function recordIn(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    // It only looked like a log record.
    return undefined;
  }
}
