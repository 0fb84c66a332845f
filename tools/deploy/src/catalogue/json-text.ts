const lineWidth = 140;

/** A value as JSON text, laid out as the repository's formatter would leave it: a list of plain values on one line where it fits. */
export function jsonText(value: object): string {
  return `${lines(value, '', 0)}\n`;
}

/** `before` is how many characters stand before the value on its first line. */
function lines(value: unknown, indent: string, before: number): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    const isPlain = value.every((item) => typeof item !== 'object' || item === null);
    const line = `[${value.map((item) => JSON.stringify(item)).join(', ')}]`;
    // A comma may follow.
    if (isPlain && before + line.length < lineWidth) return line;
    return `[\n${value.map((item) => inner + lines(item, inner, inner.length)).join(',\n')}\n${indent}]`;
  }
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  if (entries.length === 0) return '{}';
  const members = entries.map(([name, member]) => {
    const start = `${inner}${JSON.stringify(name)}: `;
    return start + lines(member, inner, start.length);
  });
  return `{\n${members.join(',\n')}\n${indent}}`;
}
