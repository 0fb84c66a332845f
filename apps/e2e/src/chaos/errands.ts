import type { ModelRequest, ModelStep, Random, ShownMessage, ToolCall } from '@rockpool/testkit';

/**
 * What a message asks for beside an answer, in words that the simulated model understands: work in the background, a reminder, or the end of such work. Each is known by marks made
 * of the token of its message: `jq…` is the title of its job, which every message about the job shows; `rq…` is what a reminder says. The result of a job has the token itself.
 */
export type ErrandKind = 'steps' | 'parts' | 'remind' | 'long' | 'reminder';

/** Reads what a message asks for: its kind, its number, and the token of the message. */
const errandPattern = /\b(?:job (steps|parts|remind|long)|(reminder)) (\d+) zq([0-9a-f]{14})\b/;
const cancelPattern = /\bcancel job (\d+) zq([0-9a-f]{14})\b/;
const builderPattern = /\bbuild jq([0-9a-f]{14}) (part-\d+)\b/;
const reminderPattern = /\brq([0-9a-f]{14})\b/;

/** Long enough not to be over before it is written down, also on a slow machine. */
const waitMs = 1_000;
const shortWaitMs = 300;
const longWaits = 40;

/** An errand, as it is put into a message; the token of the message comes right behind. */
export function wordsOf(kind: ErrandKind, n: number): string {
  return kind === 'reminder' ? `reminder ${n}` : `job ${kind} ${n}`;
}

/** The words that have a job cancelled. */
export function cancelWords(label: string): string {
  return `cancel job ${label}`;
}

/** Chance decides what is asked for. Only where a later message reaches the same conversation is there work to be cancelled. */
export function drawErrand(random: Random, shares: { jobs: number; reminders: number }, mayCancel: boolean): string | undefined {
  const drawn = random.next();
  const n = random.integer(2, 4);
  const kind = random.pick<ErrandKind>(['steps', 'steps', 'parts', 'remind', mayCancel ? 'long' : 'steps']);
  if (drawn < shares.jobs) return wordsOf(kind, n);
  return drawn < shares.jobs + shares.reminders ? wordsOf('reminder', n + 1) : undefined;
}

/** What a message with this text asks for. */
export function errandIn(text: string): { readonly kind: ErrandKind; readonly n: number; readonly token: string } | undefined {
  const [, job, reminder, n, hex] = errandPattern.exec(text) ?? [];
  return hex === undefined ? undefined : { kind: (job ?? reminder) as ErrandKind, n: Number(n), token: `zq${hex}` };
}

/** Which line of work a request to the model belongs to, and which step of it. */
export interface Line {
  /** `jq…` for a job, `jq…/part-1` for a builder, `rq…` for a reminder that is due; the message's token for the turn that answers it. */
  readonly name: string;
  readonly isJob: boolean;
  /** The token of the message that began it. */
  readonly token: string;
}

export function lineOf(request: ModelRequest): Line | undefined {
  const { lastUserText, toolRounds } = request;
  const builder = builderPattern.exec(lastUserText);
  if (builder) return { name: `jq${builder[1]}/${builder[2]}`, isJob: true, token: `zq${builder[1]}` };
  const errand = errandIn(lastUserText);
  // The turn asks for the job, once; what comes after that is the job.
  if (errand && errand.kind !== 'reminder' && toolRounds > 0)
    return { name: errand.token.replace('zq', 'jq'), isJob: true, token: errand.token };
  const reminder = reminderPattern.exec(lastUserText);
  if (reminder) return { name: reminder[0], isJob: false, token: `zq${reminder[1]}` };
  const token = lastUserText.match(/\bzq[0-9a-f]{14}\b/g)?.at(-1);
  return token === undefined ? undefined : { name: token, isJob: false, token };
}

/** Milliseconds from the request by which a reminder is planned to the time it is planned for; `undefined` when the request plans none. */
export function plannedIn(request: ModelRequest): number | undefined {
  return callOf(request, 'schedule') && Math.round((callOf(request, 'schedule')!.arguments['inMinutes'] as number) * 60_000);
}

/** True when the model ends a job with this request. */
export function endsJob(request: ModelRequest): boolean {
  return lineOf(request)?.isJob === true && stepFor(request)?.text !== undefined;
}

/** The model on an errand; answers nothing else. */
export const errandStep: ModelStep = {
  text: (request) => stepFor(request)?.text ?? '',
  toolCalls: (request) => stepFor(request)?.calls ?? [],
  firstTokenMs: 50,
};

interface Step {
  readonly text?: string;
  readonly calls?: readonly ToolCall[];
}

/** What the model does with this request; `undefined` when it is about no errand. */
export function stepFor(request: ModelRequest): Step | undefined {
  const { lastUserText, toolRounds, toolResults } = request;
  const builder = builderPattern.exec(lastUserText);
  if (builder) return toolRounds === 0 ? waitFor(waitMs) : { text: `built ${builder[2]}` };
  const cancel = cancelPattern.exec(lastUserText);
  if (cancel) return toolRounds === 0 ? call('cancel_job', { job: cancel[1]! }) : { text: `zq${cancel[2]}: ${toolResults[0]}` };
  const reminder = reminderPattern.exec(lastUserText);
  if (reminder) return { text: `⏰ ${reminder[0]}` };
  const errand = errandIn(lastUserText);
  if (!errand) return undefined;
  const { kind, n, token } = errand;
  if (kind === 'reminder') return toolRounds === 0 ? remindIn(n, token) : { text: `${token}: ${toolResults[0]}` };
  if (toolRounds === 0) return call('start_job', { title: token.replace('zq', 'jq') });
  const next = stepsOf(kind, n, token)[toolRounds - 1];
  const parts = toolResults.join(' ').match(/\bbuilt part-\d+/g) ?? [];
  return next ?? { text: `finished ${[token, ...parts].join(' ')}` };
}

function stepsOf(kind: ErrandKind, n: number, token: string): Step[] {
  switch (kind) {
    case 'parts':
      return [call('delegate', { builders: partsOf(n, token) })];
    case 'remind':
      return [waitFor(waitMs), remindIn(n, token)];
    case 'long':
      return Array.from({ length: longWaits }, () => waitFor(shortWaitMs));
    default:
      return Array.from({ length: n }, (_, index) => [waitFor(waitMs), call('report_progress', { text: `${index + 1} of ${n}` })]).flat();
  }
}

function partsOf(n: number, token: string) {
  return Array.from({ length: n }, (_, index) => ({
    key: `part-${index + 1}`,
    title: `part ${index + 1}`,
    instructions: `build ${token.replace('zq', 'jq')} part-${index + 1}`,
  }));
}

function waitFor(milliseconds: number): Step {
  return call('wait', { minutes: milliseconds / 60_000 });
}

function remindIn(seconds: number, token: string): Step {
  const mark = token.replace('zq', 'rq');
  return call('schedule', { title: 'a reminder', prompt: `say ${mark}`, inMinutes: seconds / 60 });
}

function call(name: string, given: ToolCall['arguments']): Step {
  return { calls: [{ name, arguments: given }] };
}

function callOf(request: ModelRequest, name: string): ToolCall | undefined {
  return stepFor(request)?.calls?.find((one) => one.name === name);
}

/** What a visible message is, by its marks. What is nobody's errand is an answer. */
export function roleOf({ text }: Pick<ShownMessage, 'text'>): {
  readonly role: 'answer' | 'status' | 'result' | 'reminder';
  readonly token?: string;
} {
  const reminder = reminderPattern.exec(text);
  if (reminder) return { role: 'reminder', token: `zq${reminder[1]}` };
  const job = /\bjq([0-9a-f]{14})\b/.exec(text);
  if (!job) return { role: 'answer' };
  const token = `zq${job[1]}`;
  return { role: text.includes(token) ? 'result' : 'status', token };
}

/** True when an answer tells a person that the reminder is planned: where the tool failed, the person was told so and nothing is owed. */
export function isPlanned(answer: string): boolean {
  return answer.includes('Planned: ');
}

/** True when an answer tells a person that the job is cancelled. */
export function isCancelled(answer: string): boolean {
  return /\bJob \d+ is cancelled\b/.test(answer);
}

/** The number by which people know a job, in a message about it. */
export function labelIn(text: string): string | undefined {
  return /\bjob (\d+)/i.exec(text)?.[1];
}
