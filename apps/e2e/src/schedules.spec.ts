import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { TelegramBot } from '@rockpool/testkit';
import { onEachEngine } from './engines.js';
import { aliceBotToken, aliceSecret, Installation } from './installation.js';

const chatOf = (person: number) => `telegram:${aliceBotToken.split(':')[0]}:${person}`;
const tenants = (schedules = '') => `
tenants:
  alice:
    timeZone: Europe/Paris
    agent: { model: demo }
    channels:
      telegram: { botToken: "env://ALICE_TOKEN", webhookSecret: "env://ALICE_SECRET", dmPolicy: open }
${schedules}`;

onEachEngine((engine) => {
  let rockpool: Installation;
  let alice: TelegramBot;
  beforeAll(async () => {
    rockpool = await Installation.open({ engine, delivery: 'pull-strict' });
    await rockpool.apply(tenants());
    alice = rockpool.telegram.bot({
      token: aliceBotToken,
      webhook: { url: `${rockpool.url}/webhooks/telegram/alice`, secret: aliceSecret },
    });
  });
  afterAll(() => rockpool.close());

  const list = async () => (JSON.parse(await rockpool.rockpool('schedules', 'list', 'alice', '--json')) as { items: Listed[] }).items;

  it('fire a reminder that was set in a chat there, once, also when the process was killed and started again in between', async () => {
    const chat = rockpool.telegram.person({ id: 700, name: 'Ann' }).chat(alice);
    await chat.say('remind me in 12 seconds to feed the turtle').accepted;
    await chat.waitForAnswer(({ text }) => text.includes('Planned: schedule 1'));
    await rockpool.restart('SIGKILL');
    await chat.waitForAnswer(({ text }) => text.includes('⏰ feed the turtle'));
    expect(await list()).toMatchObject([{ title: 'feed the turtle', state: 'ended', fired: 1, effect: { conversationId: chatOf(700) } }]);
    await rockpool.restart('SIGKILL');
    await chat.say('echo and that is all').accepted;
    await chat.waitForAnswer(({ text }) => text.includes('and that is all'));
    expect(chat.visible().filter(({ from, text }) => from === 'bot' && text.includes('⏰'))).toHaveLength(1);
  }, 240_000);

  it('fire one that was due while nothing ran, late and once', async () => {
    const chat = rockpool.telegram.person({ id: 701, name: 'Ben' }).chat(alice);
    await chat.say('remind me in 3 seconds to air the room').accepted;
    await chat.waitForAnswer(({ text }) => text.includes('Planned: schedule'));
    const due = (await list()).find(({ title }) => title === 'air the room')!.nextAt!;
    await Promise.all(rockpool.processes.map((process) => process.kill('SIGKILL')));
    while (Date.now() <= due) await new Promise((resolve) => setTimeout(resolve, due - Date.now() + 1));
    await Promise.all(rockpool.processes.map((process) => process.start()));
    await chat.waitForAnswer(({ text }) => text.includes('⏰ air the room'));
    expect(chat.visible().filter(({ from, text }) => from === 'bot' && text.includes('⏰'))).toHaveLength(1);
  }, 240_000);

  it('are listed, paused and deleted in the chat, and run by the operator', async () => {
    const chat = rockpool.telegram.person({ id: 702, name: 'Cy' }).chat(alice);
    await chat.say('echo hello').accepted;
    await chat.waitForAnswer(({ text }) => text.includes('hello'));
    await rockpool.apply(
      tenants(`    schedules:
      breakfast: { cron: "0 8 * * *", conversation: "${chatOf(702)}", prompt: "echo ☕ breakfast" }
`),
    );
    const { number } = (await list()).find(({ title }) => title === 'breakfast')!;
    await chat.say('/schedules').accepted;
    await chat.waitForAnswer(({ text }) => text.includes('breakfast') && text.includes('08:00') && text.includes('Europe/Paris'));
    await chat.say(`/schedules pause ${number}`).accepted;
    await chat.waitForAnswer(({ text }) => text.includes(`Schedule ${number} (breakfast) is paused`));
    await rockpool.rockpool('schedules', 'run', 'alice', String(number));
    await chat.waitForAnswer(({ text }) => text.includes('☕ breakfast'));
    await rockpool.apply(tenants());
    expect((await list()).map(({ title }) => title)).not.toContain('breakfast');
  }, 240_000);
});

interface Listed {
  readonly number: number;
  readonly title: string;
  readonly state: string;
  readonly nextAt?: number;
}
