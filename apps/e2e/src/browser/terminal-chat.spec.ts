import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Installation } from '../installation.js';

let rockpool: Installation;
beforeAll(async () => {
  rockpool = await Installation.open();
});
afterAll(() => rockpool?.close());

const chat = (...args: string[]) => rockpool.rockpool('chat', ...args);

describe('rockpool chat', () => {
  it('asks one question and prints the answer', async () => {
    expect(await chat('alice', '--say', 'hello terminal')).toContain('hello terminal');
  });

  it('goes on with its conversation, until a new one is begun', async () => {
    const sentBefore = () => rockpool.model.requests.at(-1)!.messages.filter(({ role }) => role === 'user').length;
    await chat('alice', '--new', '--say', 'the first question');
    await chat('alice', '--say', 'the second question');
    expect(sentBefore()).toBe(2);
    await chat('alice', '--new', '--say', 'the third question');
    expect(sentBefore()).toBe(1);
  });

  it('prints JSON for scripts', async () => {
    expect(JSON.parse(await chat('alice', '--json', '--say', 'for a script'))).toMatchObject({
      question: 'for a script',
      answer: expect.stringContaining('for a script'),
    });
  });

  it('says which tenant does not exist', async () => {
    await expect(chat('nobody', '--say', 'x')).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('nobody') });
  });

  it('chats where only a link lets in, with a link of its own', async () => {
    await rockpool.apply('tenants: { erin: { channels: { web: { access: link } } } }');
    expect((await fetch(`${rockpool.url}/chat/erin`)).status).toBe(404);
    expect(await chat('erin', '--say', 'by link')).toContain('by link');
  });

  it('says what to do when nothing runs', async () => {
    await rockpool.product.kill('SIGTERM');
    await expect(chat('erin', '--say', 'x')).rejects.toMatchObject({ code: 69, stderr: expect.stringContaining('npm start') });
  });
});
