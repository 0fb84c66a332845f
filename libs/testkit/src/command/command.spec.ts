import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from '@jest/globals';
import { freePort } from '../launch.js';
import { WebhookReceiver } from '../testing/webhook-receiver.js';
import { simulate } from './command.js';

describe('the simulate command', () => {
  let rockpool: WebhookReceiver | undefined;
  afterEach(() => rockpool?.close());

  /** A stand-in for Rockpool that answers every message by editing a placeholder, and the arguments to talk to it. */
  async function standIn(): Promise<string[]> {
    const telegramPort = await freePort();
    const call = async (method: string, parameters: object) => {
      const response = await fetch(`http://127.0.0.1:${telegramPort}/bot1:t/${method}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(parameters),
      });
      return ((await response.json()) as { result: { message_id: number } }).result;
    };
    rockpool = new WebhookReceiver(async ({ body }, count) => {
      const { message } = JSON.parse(body);
      if (count > 1) return { status: 200 };
      const placeholder = await call('sendMessage', { chat_id: message.chat.id, text: '…' });
      await call('editMessageText', { chat_id: message.chat.id, message_id: placeholder.message_id, text: `You said: ${message.text}` });
      return { status: 200 };
    });
    const target = new URL(await rockpool.start()).origin;
    return ['--telegram-port', String(telegramPort), '--target', target, '--token', '1:t'];
  }

  async function run(args: string[], input: NodeJS.ReadableStream = new PassThrough()) {
    const printed = { output: '', error: '' };
    const code = await simulate(args, {
      input,
      output: (text) => (printed.output += text),
      error: (text) => (printed.error += text),
    });
    return { code, ...printed };
  }

  it('says one thing, prints the finished answer and ends', async () => {
    const { code, output } = await run([...(await standIn()), '--say', 'hi', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(output)).toMatchObject({ answered: true, text: 'You said: hi', messages: 1, edits: 1 });
    expect(rockpool?.received[0]?.headers['x-telegram-bot-api-secret-token']).toBe('simulated-webhook-secret');
  });

  it('ends with 1 and the reason when no answer comes', async () => {
    const target = `http://127.0.0.1:${await freePort()}`;
    const { code, output, error } = await run(['--telegram-port', '0', '--target', target, '--say', 'hi', '--json', '--timeout', '1']);
    expect(code).toBe(1);
    expect(JSON.parse(output)).toMatchObject({ answered: false, reason: 'the webhook was not accepted (connection)' });
    expect(error).toContain('No answer within 1 s');
  });

  it('tells how to connect Rockpool, then shows the conversation', async () => {
    const args = await standIn();
    const input = new PassThrough();
    const printed: string[] = [];
    const answered = Promise.withResolvers<void>();
    const running = simulate([...args, '--slack-port', '0', '--model-port', '0'], {
      input,
      output: (text) => {
        printed.push(text);
        if (text.startsWith('bot (edited): You said: /status')) answered.resolve();
      },
      error: (text) => printed.push(text),
    });
    input.write('/as 7 Bob\n//status\n');
    await answered.promise;
    input.write('/dup 2\n/fault drop\n/fault nonsense\n/group\nhello all\n/quit\n');
    expect(await running).toBe(0);
    const text = printed.join('');
    for (const expected of [
      'export ROCKPOOL_TELEGRAM_API_URL=http://127.0.0.1:',
      'export ROCKPOOL_SLACK_API_URL=http://127.0.0.1:',
      'botToken: "env://SIMULATED_BOT_TOKEN"',
      '— Bob (7) in private',
      'bot: …',
      '— delivered 2 more times: 200 200',
      '— the next message or edit of the bot: drop',
      '! /fault drop | drop-before',
      '! the bot does not see this',
    ]) {
      expect(text).toContain(expected);
    }
    expect(rockpool?.received.map(({ body }) => JSON.parse(body).message.text)).toEqual(['/status', '/status', '/status']);
  });
});
