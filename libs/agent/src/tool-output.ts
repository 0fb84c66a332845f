/** Most characters of a tool's output that a model is shown, notes about the cut included. */
export const toolOutputCharacters = 5_000;

/** Parts of the limit for the beginning, and for how the rest goes on. */
const headPart = 0.8;
const outlinePart = 0.14;

/**
 * Cuts a tool's output to what a model is shown. What is left out is summed up: how much it is, and how its paragraphs begin, so that the model can ask
 * for the right part instead of guessing. `limit`: characters, at least some hundreds.
 */
export function cutToolOutput(output: string, limit = toolOutputCharacters): string {
  const text = output.toWellFormed();
  if (text.length <= limit) return text;
  const head = wholeCharacters(text.slice(0, limit * headPart));
  const rest = text.slice(head.length);
  const lines = rest.split('\n').filter((line) => line.trim());
  const note = `[${rest.length.toLocaleString('en')} more characters in ${lines.length.toLocaleString('en')} lines were cut. They begin:]`;
  return `${head}\n\n${note}\n${outline(lines, limit * outlinePart)}`;
}

/** Beginnings of lines spread evenly over the whole rest. */
function outline(lines: readonly string[], characters: number): string {
  const count = Math.min(lines.length, 9);
  const beginnings = Array.from({ length: count }, (_, index) => lines[Math.floor((index * lines.length) / count)]!.trim());
  const each = Math.floor(characters / count) - 4;
  return beginnings.map((line) => `- ${line.length > each ? `${wholeCharacters(line.slice(0, each))}…` : line}`).join('\n');
}

/** Without half of a surrogate pair at its end. */
function wholeCharacters(text: string): string {
  return text.isWellFormed() ? text : text.slice(0, -1);
}
