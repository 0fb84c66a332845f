import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, Ledger, type TelegramBot } from '@rockpool/testkit';
import { onEachEngine } from './engines.js';
import { aliceBotToken, aliceSecret, Installation } from './installation.js';

/** Eighty conversations share Firestore's emulator with the tests beside them. */
const patienceMs = 120_000;
// What is asked here is whether all is given back; how long that takes, chaos runs and their document say.
const settings = { ROCKPOOL_SHUTDOWN_TIMEOUT_MS: '60000' };

const isPlaceholder = ({ text }: { text: string }) => text === '…';

onEachEngine((engine) => {
  // Firestore's emulator takes a second for what SQLite does in a few milliseconds.
  const conversations = engine === 'google' ? 80 : 200;
  let ledger: Ledger;
  let rockpool: Installation;
  let bot: TelegramBot;
  beforeAll(async () => {
    ledger = new Ledger(1);
    rockpool = await Installation.open({ engine, delivery: 'pull-strict', ledger, limits: 'off', settings });
    bot = rockpool.telegram.bot({ token: aliceBotToken, webhook: { url: `${rockpool.url}/webhooks/telegram/alice`, secret: aliceSecret } });
  });
  afterAll(() => rockpool.close());

  /** One message from each of so many people; resolves when all are accepted. */
  async function everyoneSays(firstId: number): Promise<void> {
    const said = Array.from({ length: conversations }, (_, index) => {
      const chat = rockpool.telegram.person({ id: firstId + index, name: `P${index}` }).chat(bot);
      return chat.say(ledger.message(rockpool.telegram.conversation(chat.id, bot)));
    });
    await Promise.all(said.map(({ accepted }) => accepted));
  }

  async function allAnswered(): Promise<void> {
    const unanswered = () => ledger.unanswered(rockpool.telegram.shown());
    await eventually(
      () => `unanswered: ${JSON.stringify(unanswered())}\n${rockpool.complaints()}`,
      () => unanswered().length === 0,
      patienceMs,
    );
  }

  describe(`${conversations} conversations`, () => {
    it('at once are all answered, once, each in its own chat', async () => {
      await everyoneSays(10_000);
      await allAnswered();
      const verdict = ledger.check(rockpool.telegram.shown());
      expect(verdict).toMatchObject({ ok: true, accepted: conversations, answered: conversations });
    });

    it('cut short by kill -9 are all answered after a restart, once', async () => {
      rockpool.model.when(() => true).reply({ text: (request) => `You said: ${lastUserText(request)}`, firstTokenMs: 150 });
      const everyone = everyoneSays(20_000);
      // In the middle: some are answered, some run, some wait, some are not delivered yet.
      await new Promise<void>((resolve) => {
        const poll = setInterval(() => {
          const waiting = ledger.unanswered(rockpool.telegram.shown()).length;
          if (waiting > 0 && waiting < conversations / 2 && rockpool.model.requests.length > conversations + 20) {
            clearInterval(poll);
            resolve();
          }
        }, 5);
      });
      await rockpool.restart('SIGKILL');
      await everyone;
      await allAnswered();
      const verdict = ledger.check(rockpool.telegram.shown(), isPlaceholder);
      expect(verdict).toMatchObject({ ok: true });
      expect(verdict.answered).toBe(verdict.accepted);
    }, 180_000);

    it('are given back at SIGTERM, and answered after the next start', async () => {
      const everyone = everyoneSays(30_000);
      await rockpool.telegram.person({ id: 30_000, name: 'P0' }).chat(bot).waitForAnswer();
      const exits = await Promise.all(rockpool.processes.map((process) => process.kill('SIGTERM')));
      expect({ exits, complaints: rockpool.complaints() }).toMatchObject({
        exits: rockpool.processes.map(() => ({ code: 0, signal: null })),
      });
      await Promise.all(rockpool.processes.map((process) => process.start()));
      await everyone;
      await allAnswered();
      expect(ledger.check(rockpool.telegram.shown(), isPlaceholder)).toMatchObject({ ok: true });
    }, 180_000);
  });
});

function lastUserText(request: { messages: readonly { role: string; text: string }[] }): string {
  return request.messages.findLast((message) => message.role === 'user')?.text ?? '';
}
