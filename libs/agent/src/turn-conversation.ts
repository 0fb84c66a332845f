import type { AgentTurn, TranscriptMessage } from '@rockpool/conversations';
import type { ModelMessage, ResolvedModel } from '@rockpool/models';
import type { Compaction } from './compaction.js';
import { ContextWindow, cutToTokens, type WindowContent } from './context-window.js';
import { hasSeveralSpeakers, transcriptText } from './transcript-text.js';

const lastStepNote =
  'This is your last step and no tool can be called any more. Answer with what you have, and say plainly what you could not find out or do.';

const interjectionNote = '[Written while you were working. Take it into account; one answer is expected for everything.]';

/** The conversation as one turn sees it: what was there before, and the steps taken since. It shrinks when it must. */
export class TurnConversation {
  window: ContextWindow;
  content: WindowContent;
  private readonly steps: ModelMessage[] = [];
  private covered = 0;
  /** Estimated tokens of the last prompt. */
  private promptTokens = 0;

  constructor(
    turn: Pick<AgentTurn, 'history' | 'message' | 'summary'>,
    system: string,
    toolTokens: number,
    private readonly model: ResolvedModel,
  ) {
    this.window = new ContextWindow(model.contextWindow);
    this.content = { system, history: turn.history, message: turn.message, toolTokens, ...(turn.summary && { summary: turn.summary }) };
  }

  isOver(): boolean {
    return this.window.isOver(this.content);
  }

  /** Makes room because the provider found the last prompt too long: by half. False when it cannot get any smaller. */
  shrink(): boolean {
    const smaller = this.window.below(this.promptTokens);
    if (smaller) this.window = smaller;
    return smaller !== undefined;
  }

  /** Puts a summary in the place of the oldest messages. Returns how many messages of the turn's history it covers in all. */
  replaceOldest({ summary, coversMessages }: Compaction): number {
    this.content = { ...this.content, summary, history: this.content.history.slice(coversMessages) };
    return (this.covered += coversMessages);
  }

  /** The steps taken since the turn began. */
  get taken(): readonly ModelMessage[] {
    return this.steps;
  }

  /** Adds what the model said and what its tools answered. */
  addStep(...messages: readonly ModelMessage[]): void {
    this.steps.push(...messages);
  }

  /** Adds what the person wrote while the last step was taken. One that is too long for its share of the window is cut in its middle. */
  interject(messages: readonly TranscriptMessage[]): void {
    if (messages.length === 0) return;
    const named = hasSeveralSpeakers([...this.content.history, this.content.message, ...messages]);
    const text = messages.map((message) => transcriptText(message, named)).join('\n\n');
    const content = cutToTokens(`${interjectionNote}\n\n${text}`, Math.floor(this.window.exchangeTokens / 2));
    this.steps.push({ role: 'user', content: [{ type: 'text', text: content }] });
  }

  /** The next model call's prompt, and how long its answer may get. */
  prompt(options: { readonly lastStep: boolean; readonly maxOutputTokens: number }) {
    const system = options.lastStep ? `${this.content.system}\n\n${lastStepNote}` : this.content.system;
    const fitted = this.window.fit({ ...this.content, system });
    const { steps, tokens } = this.window.fitSteps(this.steps, fitted.tokens);
    this.promptTokens = tokens;
    const dropped = fitted.dropped ? `\n\n[${fitted.dropped} earlier messages are not shown.]` : '';
    const room = Math.max(this.window.answerTokens, this.model.contextWindow - this.window.promptTokens);
    return {
      system: fitted.system + dropped,
      messages: [
        ...fitted.messages.map(({ role, content }): ModelMessage => ({ role, content: [{ type: 'text', text: content }] })),
        ...steps,
      ],
      maxOutputTokens: Math.min(options.maxOutputTokens, room),
    };
  }
}
