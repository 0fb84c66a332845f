/**
 * Estimates the tokens of a text without a tokenizer: about 3.3 characters a token for ASCII (newer tokenizers cut finer than the old rule of four) and
 * one a character beyond, which is right for Chinese and generous for Cyrillic. It errs high, so that a budget kept in estimates is kept in fact.
 */
export function estimateTokens(text: string): number {
  let wide = 0;
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 127) wide++;
  return Math.ceil((text.length - wide) / 3.3 + wide);
}
