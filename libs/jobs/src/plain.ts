/** A model or a person chose these words: one line, and nothing in it is markup. */
export function plain(text: string): string {
  return text.replace(/[\s\p{C}]+/gu, ' ').replace(/[*_`[\]()<>#|\\]/g, '');
}
