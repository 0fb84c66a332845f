import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { TelegramBot } from '@rockpool/testkit';
import { aliceBotToken, aliceSecret, Installation } from './installation.js';

let rockpool: Installation;
let alice: TelegramBot;
beforeAll(async () => {
  rockpool = await Installation.open({ settings: { ROCKPOOL_PROMOTE_AFTER_MS: '1500' } });
  alice = rockpool.telegram.bot({ token: aliceBotToken, webhook: { url: `${rockpool.url}/webhooks/telegram/alice`, secret: aliceSecret } });
});
afterAll(() => rockpool.close());

it('a turn whose model does not answer in time goes on as a job; what is written meanwhile is answered, and the result comes after it, once', async () => {
  // The first call belongs to the turn, the others to the job.
  rockpool.model
    .when(/dig a tunnel/)
    .reply({ fail: 'hang' })
    .times(1);
  rockpool.model.when(/dig a tunnel/).reply({ toolCalls: [{ name: 'report_progress', arguments: { text: 'the first metre' } }] }, { toolCalls: [{ name: 'wait', arguments: { minutes: 0.2 } }] }, 'The tunnel is dug.'); // prettier-ignore
  const chat = rockpool.telegram.person({ id: 900, name: 'Eve' }).chat(alice);
  await chat.say('dig a tunnel').accepted;
  await chat.waitForAnswer(({ text }) => text.startsWith('⏳ Still working: job 1, dig a tunnel'));
  await chat.say('what is the time?').accepted;
  await chat.waitForAnswer(({ text }) => text === 'You said: what is the time?');
  await chat.waitForAnswer(({ text }) => text.includes('The tunnel is dug.'));
  await chat.say('and that is all').accepted;
  await chat.waitForAnswer(({ text }) => text === 'You said: and that is all');
  const bot = chat.visible().filter(({ from }) => from === 'bot');
  expect(bot.map(({ text }) => text.replace(/\d+ s/, 'n s'))).toEqual([
    '✅ Done: job 1, dig a tunnel, after n s.',
    'You said: what is the time?',
    'Job 1 (dig a tunnel) is done.\n\nThe tunnel is dug.',
    'You said: and that is all',
  ]);
}, 240_000);
