/** How much model a message needs: small, medium or large. */
export type Difficulty = 'simple' | 'code' | 'design';

/** Marks of program text and of talk about it. Word lists are English; the other signs (fences, length) work in any language. */
const codeMarks =
  /```|\bat [\w$.<>]+ \([^)\n]*:\d+|\btraceback\b|\b\w+\.(?:ts|tsx|js|py|rb|go|rs|java|kt|cs|cpp|php|sql|sh|ya?ml|json|tf)\b|=>|\b(?:code|bug|function|regex|refactor|compile[rd]?|stack ?trace|exception|unit tests?|sql|typescript|javascript|python|rust|golang|dockerfile|kubernetes|git (?:rebase|merge|commit))\b/i;
const designMarks =
  /\b(?:design|architect(?:ure)?|trade-?offs?|strategy|roadmap|migration plan|business plan|threat model|proof|prove|in depth|step by step|thorough(?:ly)?|evaluate|analy[sz]e|compare)\b/i;

/** Up to here a wish to "compare" or "design" is small talk, not a design. */
const shortCharacters = 60;
const longCharacters = 1_500;
const veryLongCharacters = 6_000;
const longHistoryMessages = 40;

/**
 * Judges by the message alone and by how long the conversation is. Pure: the same input has the same answer. It decides which size of model `auto`
 * takes, so a wrong guess costs a little quality or money, never correctness.
 */
export function difficultyOf(text: string, historyLength: number): Difficulty {
  if (text.length > veryLongCharacters) return 'design';
  if (designMarks.test(text) && text.length > shortCharacters) return 'design';
  if (codeMarks.test(text) || text.length > longCharacters || historyLength > longHistoryMessages) return 'code';
  return 'simple';
}
