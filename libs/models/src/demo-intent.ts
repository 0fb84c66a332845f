/** What the demo model makes of a message: a tool to call, or an answer it can give by itself. */
export type DemoIntent = DemoCall | { readonly answer: string };

interface DemoCall {
  readonly tool: string;
  readonly input: Readonly<Record<string, unknown>>;
}

const abilities = [
  '- “what time is it in Tokyo?”',
  '- “remember that the spare key is with Anna” and later “what do you remember about the key?”',
  '- “remind me in 10 minutes to water the plants”',
  '- `fetch https://example.com`',
  '- “in the background, count to 5”, “in the background, ask 3 builders to count to 2”, and `/jobs`',
  '- “how many words: …”, “echo …”, “help”',
].join('\n');

interface Rule {
  readonly pattern: RegExp;
  readonly intent: (match: RegExpExecArray) => DemoIntent;
}

const background = /^(?:please )?in the background[,:]?\s+(.+)/is;

/** First match wins. A rule that needs a tool which the caller does not offer is skipped by {@link demoIntent}. */
const rules: readonly Rule[] = [
  { pattern: background, intent: ([, text]) => ({ tool: 'start_job', input: { title: text!.trim().slice(0, 60) } }) },
  { pattern: /^(?:please )?remember(?: that|:)?\s+(.+)/is, intent: ([, text]) => ({ tool: 'remember', input: { text: text!.trim() } }) },
  {
    pattern: /^(?:please )?remind me in (\d{1,4}) (second|minute|hour|day)s? (?:to |that |about |of )?(.+)/is,
    intent: ([, count, unit, text]) => {
      const what = text!.trim();
      const inMinutes = Number(count) * { second: 1 / 60, minute: 1, hour: 60, day: 1_440 }[unit!.toLowerCase() as 'minute'];
      return { tool: 'schedule', input: { title: what.slice(0, 60), prompt: `echo ⏰ ${what}`, inMinutes } };
    },
  },
  {
    pattern: /^(?:what do you (?:remember|know)|do you remember|recall)(?:\s+(?:about|of))?\s*(.*)/is,
    intent: ([, query]) => ({ tool: 'recall', input: { query: query!.replace(/[?.!]+\s*$/, '').trim() } }),
  },
  {
    pattern: /\b(?:what(?:'s| is)? (?:the )?time|what time is it|current time)\b(?:.*?\bin\s+([\p{L}/_ ]+))?/isu,
    intent: ([, place]) => {
      const timeZone = place && timeZoneOf(place);
      return { tool: 'current_time', input: { ...(timeZone && { timeZone }) } };
    },
  },
  {
    pattern: /^(?:please )?(?:fetch|open|read|get)\s+(https?:\/\/\S+)/i,
    intent: ([, url]) => ({ tool: 'fetch_url', input: { url: url! } }),
  },
  {
    pattern: /^(?:count (?:the )?words|how many words)(?:\s+(?:in|of|are in))?\s*:?\s*(.*)/is,
    intent: ([, text]) => ({ answer: `That is ${countWords(text!)}.` }),
  },
  { pattern: /^echo\s+(.+)/is, intent: ([, text]) => ({ answer: text! }) },
  {
    pattern: /^(?:hi|hello|hey|good (?:morning|evening|day)|hallo|hola|salut)\b/i,
    intent: () => ({ answer: `Hello! Try:\n${abilities}` }),
  },
  { pattern: /^\/?(?:help|what can you do)\b/i, intent: () => ({ answer: `I follow a few simple rules. Try:\n${abilities}` }) },
];

/** What takes several calls, one after the other; after the last its results are the answer. */
interface Plan {
  readonly pattern: RegExp;
  readonly calls: (match: RegExpExecArray) => DemoCall[];
  /** Default: what the last call gave. */
  readonly answer?: (match: RegExpExecArray) => string;
}

const plans: readonly Plan[] = [
  {
    pattern: /^count to (\d{1,3})(?: every (\d+(?:\.\d+)?) seconds?)?\b/i,
    calls: ([, to, seconds = '1']) =>
      Array.from({ length: Number(to) }, (_, index) => [
        { tool: 'wait', input: { minutes: Math.max(0.001, Number(seconds) / 60) } },
        { tool: 'report_progress', input: { text: `${index + 1} of ${to}`, percent: Math.round(((index + 1) / Number(to)) * 100) } },
      ]).flat(),
    answer: ([, to]) => `I counted to ${to}.`,
  },
  {
    pattern: /^ask (\d{1,2}) builders to (.+)/is,
    calls: ([, count, instructions]) => {
      const builders = Array.from({ length: Number(count) }, (_, index) => ({
        key: `part-${index + 1}`,
        title: `Part ${index + 1}`,
        instructions: instructions!.trim(),
      }));
      return [{ tool: 'delegate', input: { builders } }];
    },
  },
  { pattern: /^ask me (.+)/is, calls: ([, question]) => [{ tool: 'ask_person', input: { question: question!.trim() } }] },
];

/** A message without what says where it is to be done. */
function wishOf(message: string): string {
  const text = message.trim();
  return background.exec(text)?.[1] ?? text;
}

/** What comes next of what a message asks for in several calls, after so many of them; `undefined` when it asks for nothing of the kind, or only the last result is left to be told. */
export function demoPlan(message: string, tools: ReadonlySet<string>, taken: number): DemoIntent | undefined {
  const wanted = wishOf(message);
  for (const { pattern, calls, answer } of plans) {
    const match = pattern.exec(wanted);
    const planned = match && calls(match);
    if (!planned?.every(({ tool }) => tools.has(tool))) continue;
    return planned[taken] ?? (answer && { answer: answer(match!) });
  }
  return undefined;
}

/** Understands a message by rule, without a model. `tools` are the names of the tools that may be called. */
export function demoIntent(message: string, tools: ReadonlySet<string>): DemoIntent {
  const text = tools.has('start_job') ? message.trim() : wishOf(message);
  // Where several people write, the name of the one who does comes before the text.
  for (const said of [text, text.replace(/^[^:\n]{1,60}: /, '')])
    for (const { pattern, intent } of rules) {
      const match = pattern.exec(said);
      const found = match && intent(match);
      if (found && ('answer' in found || tools.has(found.tool))) return found;
    }
  return { answer: text ? `You said: ${text}\n\nThat is ${countWords(text)}.` : 'You sent no text.' };
}

function countWords(text: string): string {
  const count = text.match(/[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu)?.length ?? 0;
  return `${count} ${count === 1 ? 'word' : 'words'}`;
}

/** `Tokyo` → `Asia/Tokyo`; `undefined` when no time zone ends in that name. */
function timeZoneOf(place: string): string | undefined {
  const wanted = place.trim().replaceAll(' ', '_').toLowerCase();
  return [...Intl.supportedValuesOf('timeZone'), 'UTC'].find(
    (zone) => zone.toLowerCase() === wanted || zone.toLowerCase().endsWith(`/${wanted}`),
  );
}
