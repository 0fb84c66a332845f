import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, Ledger, type GoogleStack, type TelegramBot } from '@rockpool/testkit';
import { onGoogle } from './engines.js';
import { aliceBotToken, aliceSecret, Installation } from './installation.js';

const body = () => {
  let rockpool: Installation;
  let stack: GoogleStack;
  let ledger: Ledger;
  let bot: TelegramBot;
  beforeAll(async () => {
    ledger = new Ledger(1);
    rockpool = await Installation.open({ engine: 'google', delivery: 'push', ledger });
    stack = rockpool.stack!;
    bot = rockpool.telegram.bot({ token: aliceBotToken, webhook: { url: `${rockpool.url}/webhooks/telegram/alice`, secret: aliceSecret } });
  });
  afterAll(() => rockpool.close());

  const chatOf = (id: number) => rockpool.telegram.person({ id, name: `P${id}` }).chat(bot);
  const subscription = (name: string) => `projects/${stack.projectId}/subscriptions/${name}`;
  const unacked = () =>
    ['inbound-messages.dispatcher', 'conversation-wakes.dispatcher'].flatMap((name) => stack.pubSub!.unacked(subscription(name)));

  async function allAnswered(): Promise<void> {
    await eventually('all are answered', () => ledger.unanswered(rockpool.telegram.shown()).length === 0);
    expect(ledger.check(rockpool.telegram.shown(), ({ text }) => text === '…')).toMatchObject({ ok: true });
  }

  it('are answered, in order, and acknowledged', async () => {
    const chat = chatOf(700);
    const said = ['one', 'two', 'three'].map(() => chat.say(ledger.message(rockpool.telegram.conversation(chat.id, bot))));
    expect(await Promise.all(said.map(({ accepted }) => accepted))).toEqual([true, true, true]);
    await allAnswered();
    await eventually('all are acknowledged', () => unacked().length === 0);
  });

  describe('are believed for their token alone:', () => {
    const dispatcher = () => `dispatcher@${stack.projectId}.iam.gserviceaccount.com`;
    const audience = () => stack.apps.dispatcher.url;
    const claims = () => stack.metadata.claims(dispatcher(), audience());
    const forged: [string, () => Promise<string | undefined>][] = [
      ['none', async () => undefined],
      ['one of another app', () => stack.metadata.mint(`ingress@${stack.projectId}.iam.gserviceaccount.com`, audience())],
      ['one for another audience', () => stack.metadata.mint(dispatcher(), stack.apps['agent-host'].url)],
      ['one that has run out', async () => stack.metadata.sign({ ...claims(), iat: 1_700_000_000, exp: 1_700_003_600 })],
      ['one that nobody signed', async () => stack.metadata.forge('unsigned', claims())],
      ['one signed with the public key', async () => stack.metadata.forge('hmac-with-public-key', claims())],
    ];

    it.each(forged)('with %s the answer is 401, and nothing is done', async (_, token) => {
      const asked = rockpool.model.requests.length;
      const bearer = await token();
      const response = await fetch(`${audience()}/pubsub/inbound-messages.dispatcher`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }) },
        body: JSON.stringify({
          subscription: subscription('inbound-messages.dispatcher'),
          message: { messageId: '1', publishTime: new Date().toISOString(), data: '', orderingKey: 'k' },
        }),
      });
      expect(response.status).toBe(401);
      expect(rockpool.model.requests).toHaveLength(asked);
    });
  });

  it('come again when their dispatcher is killed in the middle, and are answered once', async () => {
    const asked = rockpool.model.requests.length;
    const restarted = Promise.withResolvers<void>();
    rockpool.model
      .when(() => true)
      .reply({ text: ({ lastUserText }) => `You said: ${lastUserText}`, after: restarted.promise })
      .times(10);
    const said = Array.from({ length: 10 }, (_, n) => {
      const chat = chatOf(710 + n);
      return chat.say(ledger.message(rockpool.telegram.conversation(chat.id, bot)));
    });
    await Promise.all(said.map(({ accepted }) => accepted));
    await eventually('the model was asked ten times more', () => rockpool.model.requests.length === asked + 10);
    // The pushes of the wakes are open, in both dispatchers; the agent hosts go on meanwhile.
    expect(unacked().length).toBeGreaterThanOrEqual(10);
    const [first, second] = stack.apps.dispatcher.copies;
    await first!.kill('SIGKILL');
    await first!.start();
    await second!.kill('SIGKILL');
    await second!.start();
    restarted.resolve();
    await allAnswered();
    await eventually('all are acknowledged', () => unacked().length === 0);
    expect(rockpool.model.requests).toHaveLength(asked + 10);
  });
};

onGoogle('messages that Pub/Sub pushes to the dispatcher', 'push', body);
