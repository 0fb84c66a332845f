import { describe, expect, it } from '@jest/globals';
import { Writable } from 'node:stream';
import type { ChatItem } from './chat-client.js';
import { Screen, terminalText } from './chat-screen.js';

/** A terminal of 40 columns and 10 rows, as far as a screen uses one: text, line feeds, and going back to erase. */
class Terminal extends Writable {
  readonly columns = 40;
  readonly rows = 10;
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    for (const part of chunk
      .toString()
      .replaceAll('\u001b', 'ESC')
      .split(/(\r(?:ESC\[\d+A)?ESC\[J)/)) {
      const erase = /^\r(?:ESC\[(\d+)A)?ESC\[J$/.exec(part);
      if (erase) this.#erase(1 + Number(erase[1] ?? 0));
      else this.text += part.replace(/ESC\[\d+m/g, '');
    }
    done();
  }

  #erase(rows: number): void {
    const shown = this.text.split('\n').flatMap((line) => line.match(/.{1,40}/g) ?? ['']);
    const kept = shown.slice(0, -rows);
    this.text = kept.length === 0 ? '' : `${kept.join('\n')}\n`;
  }
}

function open() {
  const terminal = new Terminal();
  const screen = new Screen(terminal as unknown as NodeJS.WriteStream);
  screen.name = 'Alice';
  return { terminal, screen };
}
const answer = (text: string, state: ChatItem['state'] = 'streaming', key = 'r.1'): ChatItem => ({
  key,
  at: '',
  role: 'assistant',
  state,
  text,
});
const question = (text: string): ChatItem => ({ key: 'm.1', at: '', role: 'user', state: 'final', text });

describe('the screen of a chat in the terminal', () => {
  it('shows an answer as it grows, writing only what is new', () => {
    const { terminal, screen } = open();
    screen.typing();
    expect(terminal.text).toBe('Alice is thinking …');
    screen.show(answer('', 'placed'));
    expect(terminal.text).toBe('Alice › …');
    screen.show(answer('Hel'));
    screen.show(answer('Hello\nthere'));
    screen.show(answer('Hello\nthere.', 'final'));
    expect(terminal.text).toBe('Alice › Hello\nthere.\n\n');
    expect(screen.isBusy).toBe(false);
  });

  it('changes an answer that is changed later in its place, as long as nothing came below it', () => {
    const { terminal, screen } = open();
    screen.show(answer('One of 3, which takes two rows here.', 'final'));
    screen.show(answer('2 of 3', 'final'));
    expect(terminal.text).toBe('Alice › 2 of 3\n\n');
    screen.show(question('and?'));
    screen.show(answer('Done.', 'final'));
    expect(terminal.text).toBe('Alice › 2 of 3\n\nyou › and?\nAlice › Done.\n\n');
  });

  it('leaves what stands above a line that was typed', () => {
    const { terminal, screen } = open();
    screen.show(answer('1 of 3', 'final'));
    terminal.write('you › typed\n');
    screen.passed();
    screen.show(answer('2 of 3', 'final'));
    expect(terminal.text).toBe('Alice › 1 of 3\n\nyou › typed\nAlice › 2 of 3\n\n');
  });

  it('replaces what was written when the answer begins anew, however many rows it took', () => {
    const { terminal, screen } = open();
    screen.show(question('why?'));
    screen.show(answer(`starting up ${'. '.repeat(40)}\nplease wait`));
    screen.show(answer('Because.', 'final'));
    expect(terminal.text).toBe('you › why?\nAlice › Because.\n\n');
  });

  it('keeps other messages until the answer under way is whole', () => {
    const { terminal, screen } = open();
    screen.show(answer('one, two'));
    screen.show(question('/stop'));
    screen.show(answer('Stopp', 'streaming', 'r.2'));
    screen.show(answer('Stopped.', 'final', 'r.2'));
    screen.show(answer('one, two, three', 'final'));
    expect(terminal.text).toBe('Alice › one, two, three\n\nyou › /stop\nAlice › Stopped.\n\n');
  });

  it('takes the sign of thinking away for a remark', () => {
    const { terminal, screen } = open();
    screen.typing();
    screen.remark('The connection is lost.');
    expect(terminal.text).toBe('The connection is lost.\n');
  });

  it('lets no text of others speak to the terminal', () => {
    expect(terminalText('a\u001b[2Jb\u009b31mc\rd\u0007\u0000\te\nf 👋')).toBe('a[2Jb31mcd\te\nf 👋');
  });
});
