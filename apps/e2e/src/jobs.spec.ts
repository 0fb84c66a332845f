import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PersonChat, TelegramBot } from '@rockpool/testkit';
import { onEachEngine } from './engines.js';
import { aliceBotToken, aliceSecret, Installation } from './installation.js';

/** A start on a busy machine, a lease of a job that has to run out, and what Pub/Sub gave to a process that was killed. */
const patienceMs = 90_000;
const tenants = `
tenants:
  alice:
    plan: pro
    agent: { model: demo }
    channels:
      telegram: { botToken: "env://ALICE_TOKEN", webhookSecret: "env://ALICE_SECRET", dmPolicy: open }
`;

onEachEngine((engine) => {
  let rockpool: Installation;
  let alice: TelegramBot;
  beforeAll(async () => {
    rockpool = await Installation.open({ engine, delivery: 'pull-strict' });
    await rockpool.apply(tenants);
    alice = rockpool.telegram.bot({
      token: aliceBotToken,
      webhook: { url: `${rockpool.url}/webhooks/telegram/alice`, secret: aliceSecret },
    });
  });
  afterAll(() => rockpool.close());

  const chatWith = (id: number, name: string) => rockpool.telegram.person({ id, name }).chat(alice);
  const answers = (chat: PersonChat) => chat.visible().filter(({ from }) => from === 'bot');
  /** The number of the job that a message speaks of. */
  const numberIn = (text: string) => /job (\d+)/i.exec(text)![1]!;

  // On the Google engine a lease has to run out after a kill: one is enough there.
  const kills = engine === 'google' ? 1 : 2;
  it(`a turn goes on as a job, is shown in one message, and comes to its end once, in order, over ${kills} kills, while other messages are answered`, async () => {
    const chat = chatWith(800, 'Ann');
    await chat.say('in the background, count to 8 every 2 seconds').accepted;
    await chat.waitForAnswer(({ text }) => /Still working: job \d+.*\d of 8/s.test(text), patienceMs);
    await rockpool.restart('SIGKILL');
    await chat.say('echo in between').accepted;
    await chat.waitForAnswer(({ text }) => text.includes('in between'), patienceMs);
    await chat.waitForAnswer(({ text }) => /(?:[4-8] of 8|Done: job)/s.test(text), patienceMs);
    if (kills > 1) await rockpool.restart('SIGKILL');
    await chat.waitForAnswer(({ text }) => text.includes('I counted to 8.'), patienceMs);
    await chat.say('echo and that is all').accepted;
    await chat.waitForAnswer(({ text }) => text.includes('and that is all'), patienceMs);
    const seen = answers(chat).map(({ text }) => text);
    expect(seen).toHaveLength(4);
    expect(seen[0]).toMatch(/^✅ Done: job \d+, count to 8 every 2 seconds, after \d+ s\.$/);
    expect(seen[1]).toContain('in between');
    expect(seen[2]).toMatch(/^Job \d+ \(count to 8 every 2 seconds\) is done\.\s+\[demo model\] I counted to 8\./);
    expect(seen[3]).toContain('and that is all');
  }, 360_000);

  /** Begun together, on one installation, each in a chat of its own. */
  const sideBySide: Readonly<Record<string, () => Promise<void>>> = {
    'is listed, looked at and cancelled in the chat': async () => {
      const chat = chatWith(801, 'Ben');
      await chat.say('in the background, count to 100 every 3 seconds').accepted;
      const { text } = await chat.waitForAnswer((message) => message.text.includes('Still working'), patienceMs);
      const number = numberIn(text);
      await chat.say('/jobs').accepted;
      await chat.waitForAnswer((message) => message.text.includes(`Job ${number} count to 100 every 3 seconds: `), patienceMs);
      // Its first step is over once there is something to count.
      await chat.waitForAnswer((message) => message.text.includes(' of 100'), patienceMs);
      await chat.say(`/job ${number}`).accepted;
      await chat.waitForAnswer((message) => message.text.includes('think: succeeded'), patienceMs);
      await chat.say(`/cancel ${number}`).accepted;
      await chat.waitForAnswer((message) => message.text.includes(`Job ${number} is cancelled`), patienceMs);
      await chat.waitForAnswer((message) => message.text.startsWith(`🛑 Cancelled: job ${number}`), patienceMs);
    },
    'has its work done by builders side by side, and tells what came of it': async () => {
      const chat = chatWith(802, 'Cy');
      await chat.say('in the background, ask 3 builders to count to 2').accepted;
      const { text } = await chat.waitForAnswer((message) => message.text.includes('is done.'), patienceMs);
      for (const part of ['part-1: done', 'part-2: done', 'part-3: done']) expect(text).toContain(part);
      expect(text.match(/I counted to 2\./g)).toHaveLength(3);
    },
    'asks the person, waits without running, and goes on with the answer': async () => {
      const chat = chatWith(803, 'Di');
      await chat.say('in the background, ask me which colour the boat is').accepted;
      const { text } = await chat.waitForAnswer((message) => message.text.startsWith('❓ Job'), patienceMs);
      expect(text).toContain('which colour the boat is');
      if (engine === 'embedded') await rockpool.restart('SIGKILL');
      await chat.say(`/job ${numberIn(text)} blue`).accepted;
      await chat.waitForAnswer((message) => message.text.includes('goes on with that'), patienceMs);
      await chat.waitForAnswer((message) => /is done\.[^]*The person answered: blue/.test(message.text), patienceMs);
    },
  };

  describe('a job among others', () => {
    let running: ReadonlyMap<string, Promise<void>>;
    beforeAll(() => {
      running = new Map(Object.entries(sideBySide).map(([what, run]) => [what, run()]));
      // Each is waited for by its own test.
      for (const run of running.values()) run.catch(() => undefined);
    });
    it.each(Object.keys(sideBySide))('%s', (what) => running.get(what), 240_000);
  });
});
