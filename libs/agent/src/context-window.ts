import type { TranscriptMessage } from '@rockpool/conversations';
import { estimateTokens, type ModelMessage, type ToolMessage } from '@rockpool/models';
import { hasSeveralSpeakers, transcriptText } from './transcript-text.js';

/** Everything a model call is made of, before it is made to fit. */
export interface WindowContent {
  readonly system: string;
  readonly summary?: string;
  readonly history: readonly TranscriptMessage[];
  readonly message: TranscriptMessage;
  /** Tokens of the tools' descriptions. */
  readonly toolTokens: number;
}

/** What fits. `history` and `message` are ready for the model: roles alternate and begin with `user`. */
export interface Fitted {
  readonly system: string;
  readonly messages: readonly { readonly role: 'user' | 'assistant'; readonly content: string }[];
  /** How many of the oldest messages of the history had to be left out. */
  readonly dropped: number;
  /** Estimated tokens of it all, tools included. */
  readonly tokens: number;
}

/** Tokens a message costs beside its text. */
const messageOverhead = 5;
const standardTokens = 32_000;

/**
 * The part of a model's window one call may fill. Of 32k tokens: system 2k, summary 6k, exchange 16k, reserve for the answer 4k; the rest is slack for a
 * wrong estimate. When system, summary and exchange together pass 24k the conversation is to be compacted. What one part leaves free the exchange may
 * use, and instructions longer than their share take from it. A smaller window has the same shares.
 */
export class ContextWindow {
  readonly totalTokens: number;

  constructor(totalTokens: number = standardTokens) {
    this.totalTokens = Math.min(totalTokens, standardTokens);
  }

  /** Most tokens of a prompt: all but the reserve. */
  get promptTokens(): number {
    return this.share(28);
  }

  /** Most tokens of a summary. */
  get summaryTokens(): number {
    return this.share(6);
  }

  /** Most tokens of the exchange beside a full summary. */
  get exchangeTokens(): number {
    return this.share(16);
  }

  /** Most tokens the reserve leaves for an answer. */
  get answerTokens(): number {
    return this.share(4);
  }

  /** A window whose prompts are at most half of what was just too long; `undefined` when nothing useful would fit any more. */
  below(tokens: number): ContextWindow | undefined {
    const total = Math.floor((Math.min(tokens, this.promptTokens) / 2 / 28) * 32);
    return total >= 2_000 ? new ContextWindow(total) : undefined;
  }

  /** True when the conversation is to be compacted before it goes on. */
  isOver(content: WindowContent): boolean {
    const named = hasSeveralSpeakers([...content.history, content.message]);
    const history = content.history.reduce((sum, message) => sum + tokensOf(transcriptText(message, named)), 0);
    const summary = content.summary ? tokensOf(content.summary) : 0;
    const message = Math.min(tokensOf(transcriptText(content.message, named)), this.share(16));
    return content.history.length > 0 && tokensOf(content.system) + content.toolTokens + summary + history + message > this.share(24);
  }

  /** How many of the oldest messages to put into the summary, so that what stays is at most half an exchange: the next compaction is then far off. */
  toCompact(history: readonly TranscriptMessage[]): number {
    const named = hasSeveralSpeakers(history);
    let kept = 0;
    let from = history.length;
    for (const exchange of exchangesOf(history).reverse()) {
      kept += exchange.reduce((sum, message) => sum + tokensOf(transcriptText(message, named)), 0);
      if (kept > this.share(8)) break;
      from -= exchange.length;
    }
    return from;
  }

  /**
   * Makes the content fit. The newest message is always kept, in the worst case cut in its middle; of the history the newest exchanges that fit, each
   * whole: an answer never without its question.
   */
  fit(content: WindowContent): Fitted {
    const named = hasSeveralSpeakers([...content.history, content.message]);
    const system = cutToTokens(content.system, this.share(7));
    const summary = content.summary && cutToTokens(content.summary, this.summaryTokens);
    const prompt = summary
      ? `${system}\n\n<summary-of-the-earlier-conversation>\n${summary}\n</summary-of-the-earlier-conversation>`
      : system;
    let free = this.promptTokens - tokensOf(prompt) - content.toolTokens - messageOverhead * 2;
    const message = cutToTokens(transcriptText(content.message, named), Math.max(0, Math.min(this.share(16), free)));
    free -= tokensOf(message);
    const kept: TranscriptMessage[] = [];
    for (const exchange of exchangesOf(content.history).reverse()) {
      const cost = exchange.reduce((sum, one) => sum + tokensOf(transcriptText(one, named)), 0);
      if (cost > free) break;
      free -= cost;
      kept.unshift(...exchange);
    }
    const messages = alternating([
      ...kept.map((one) => ({ role: one.role, content: transcriptText(one, named) })),
      { role: 'user', content: message },
    ]);
    return { system: prompt, messages, dropped: content.history.length - kept.length, tokens: this.promptTokens - free };
  }

  /**
   * Makes room for the steps of the turn under way: outputs of tools are emptied, oldest first, until base and steps fit. Calls keep their results, so
   * the exchange with the provider stays well-formed.
   */
  fitSteps(steps: readonly ModelMessage[], baseTokens: number): { readonly steps: ModelMessage[]; readonly tokens: number } {
    const fitted = [...steps];
    let tokens = baseTokens + fitted.reduce((sum, step) => sum + stepTokens(step), 0);
    for (let index = 0; index < fitted.length && tokens > this.promptTokens; index++) {
      const step = fitted[index]!;
      if (step.role !== 'tool') continue;
      const emptied = withoutOutputs(step);
      tokens -= stepTokens(step) - stepTokens(emptied);
      fitted[index] = emptied;
    }
    return { steps: fitted, tokens };
  }

  private share(parts: number): number {
    return Math.floor((this.totalTokens * parts) / 32);
  }
}

function tokensOf(text: string): number {
  return estimateTokens(text) + messageOverhead;
}

function stepTokens(step: ModelMessage): number {
  return estimateTokens(JSON.stringify(step.content));
}

function withoutOutputs(step: ToolMessage): ToolMessage {
  const note = { type: 'text' as const, value: '[left out to save room]' };
  return {
    ...step,
    content: step.content.map((part) =>
      part.type === 'tool-result' && estimateTokens(JSON.stringify(part.output)) > estimateTokens(JSON.stringify(note))
        ? { ...part, output: note }
        : part,
    ),
  };
}

/** A question, however many messages it took, and what was answered to it. */
function exchangesOf(history: readonly TranscriptMessage[]): TranscriptMessage[][] {
  const exchanges: TranscriptMessage[][] = [];
  let previous: TranscriptMessage['role'] | undefined;
  for (const message of history) {
    const last = exchanges.at(-1);
    if (!last || (message.role === 'user' && previous === 'assistant')) exchanges.push([message]);
    else last.push(message);
    previous = message.role;
  }
  return exchanges;
}

/** Several servers refuse two messages of one role in a row, empty ones, and a conversation that the assistant begins. */
function alternating(
  messages: readonly { role: 'user' | 'assistant'; content: string }[],
): { role: 'user' | 'assistant'; content: string }[] {
  const result: { role: 'user' | 'assistant'; content: string }[] = [];
  for (const message of messages) {
    const { content } = message;
    if (!content) continue;
    const last = result.at(-1);
    if (last?.role === message.role) last.content += `\n\n${content}`;
    else if (!last && message.role === 'assistant') result.push({ role: 'user', content: '[no message]' }, { role: 'assistant', content });
    else result.push({ role: message.role, content });
  }
  return result;
}

const cutMark = '\n[… cut …]\n';

/** Keeps beginning and end of a text that is over its tokens. Never returns more tokens than asked for, unless it is less than the mark itself. */
export function cutToTokens(text: string, tokens: number): string {
  const estimate = tokensOf(text);
  if (estimate <= tokens) return text;
  let length = Math.floor((text.length * tokens) / estimate);
  for (;;) {
    const head = Math.floor(length * 0.7);
    const tail = length - head;
    const cut = `${text.slice(0, head)}${cutMark}${tail > 0 ? text.slice(-tail) : ''}`.toWellFormed();
    if (tokensOf(cut) <= tokens || length <= 0) return length <= 0 ? '' : cut;
    length = Math.floor(length * 0.9) - 8;
  }
}
