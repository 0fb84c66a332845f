import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PassThrough } from 'node:stream';
import { Prompt } from './chat-prompt.js';

let keyboard: PassThrough;
let prompt: Prompt;
let screen: string;
let closed: Promise<void>;
let messages: { text: string; wasVisible: boolean }[];
let wake: () => void;

beforeEach(() => {
  keyboard = new PassThrough();
  messages = [];
  screen = '';
  const output = new PassThrough().on('data', (chunk: Buffer) => (screen += chunk.toString()));
  closed = new Promise((resolve) => {
    prompt = new Prompt(keyboard as unknown as NodeJS.ReadStream, output as unknown as NodeJS.WriteStream, {
      message: (text, wasVisible) => {
        messages.push({ text, wasVisible });
        wake();
      },
      closed: resolve,
    });
  });
  prompt.show();
});
afterEach(() => prompt.close());

function message(keys: string): Promise<void> {
  return new Promise((resolve) => {
    wake = resolve;
    keyboard.write(keys);
  });
}

describe('the line to type on', () => {
  it('gives each line as a message', async () => {
    await message('hello\r');
    await message('again\r');
    expect(messages.map(({ text }) => text)).toEqual(['hello', 'again']);
  });

  it('takes a paste of several lines as one message, whose last line the person finishes', async () => {
    keyboard.write('first\rsecond\rthi');
    await message('rd\r');
    expect(messages.map(({ text }) => text)).toEqual(['first\nsecond\nthird']);
  });

  it('goes on unseen while it is hidden', async () => {
    prompt.hide();
    screen = '';
    await message('/stop\r');
    expect(screen).toBe('');
    expect(messages).toEqual([{ text: '/stop', wasVisible: false }]);
  });

  it.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('ends with %s', async (_name, key) => {
    keyboard.write(key);
    await closed;
  });
});
