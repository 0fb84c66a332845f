import type { ModelAnswer } from '@rockpool/models';

/** Joins what the model says in several steps to one text: a paragraph between them, nothing before the first. */
export class Speech {
  private stepBegun = false;
  /** True when the step under way has said something: it cannot be begun anew. */
  get spokeInStep(): boolean {
    return this.stepBegun;
  }

  /** Everything that was said, as it was sent. */
  text = '';

  /** True when anything a person can see was said in this turn. */
  spoke = false;

  nextStep(): void {
    this.stepBegun = false;
  }

  /** The delta as it is to be sent. */
  say(delta: string): string {
    const gap = this.spoke && !this.stepBegun ? '\n\n'.slice(/\n*$/.exec(this.text.slice(-2))![0].length) : '';
    this.stepBegun = true;
    this.spoke ||= delta.trim() !== '';
    this.text += gap + delta;
    return gap + delta;
  }
}

/** What is added to an answer that did not end as it ought to, so that nobody takes it for complete. `undefined` when all is well. */
export function endingNote(
  finishReason: ModelAnswer['finishReason'],
  spoke: boolean,
  steps: { readonly taken: number; readonly wantedMore: boolean },
): string | undefined {
  if (steps.wantedMore)
    return `I stopped after ${steps.taken} steps without coming to an end. Please ask for a smaller part, or tell me how to go on.`;
  if (finishReason === 'length') return '_(The answer was cut off here because it reached its longest length. Ask me to go on.)_';
  if (finishReason === 'content-filter') return '_(The provider of the model stopped this answer by its content rules.)_';
  return spoke ? undefined : 'I have no answer: the model returned nothing. Please ask again, perhaps in other words.';
}
