import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  Random,
  signSlack,
  signStandardWebhook,
  telegramUpdate,
  type SignedRequest,
  type TelegramBot,
} from '@rockpool/testkit';
import { askControlPlane } from './control-plane.js';
import { aliceBotToken, aliceSecret, httpSecret, Installation, sharedSecret, slackSecret } from './installation.js';

const welcome = 12;
/** Of each kind; with five kinds, 97 of 100 events are unwelcome. */
const unwelcome = 78;
const atOnce = 20;
const carolsLimit = 5;

const tenants = `
shared:
  telegram: { botToken: "env://SHARED_TOKEN", webhookSecret: "env://SHARED_SECRET" }
tenants:
  alice:
    channels: { telegram: { botToken: "env://ALICE_TOKEN", webhookSecret: "env://ALICE_SECRET", dmPolicy: open } }
  carol:
    limits: { messagesPerMinute: ${carolsLimit} }
    channels: { telegram: { botToken: "env://CAROL_TOKEN", webhookSecret: "env://CAROL_SECRET", dmPolicy: open } }
  dave:
    suspended: true
    channels:
      telegram: { botToken: "env://DAVE_TOKEN", webhookSecret: "env://DAVE_SECRET", dmPolicy: open }
      slack: { team: T0999, botToken: "env://SLACK_TOKEN", signingSecret: "env://SLACK_SECRET" }
      http: { secret: "env://HTTP_SECRET" }
`;

interface Event {
  readonly path: string;
  readonly request: SignedRequest;
}

const slackMessage = (n: number) => ({
  type: 'event_callback',
  team_id: 'T0999',
  api_app_id: 'A1',
  event_id: `Ev${n}`,
  authorizations: [{ user_id: 'UBOT', is_bot: true }],
  event: {
    type: 'message',
    channel_type: 'im',
    channel: `D${n}`,
    user: `U${n}`,
    text: 'hi',
    ts: `1700000${String(n).padStart(3, '0')}.000100`,
  },
});
const carolsMinute = Math.floor(Date.now() / 1000);

const kinds: Readonly<Record<string, (n: number) => Event>> = {
  'of nobody’s person, on the shared bot': (n) => ({
    path: 'telegram',
    request: telegramUpdate({ secret: sharedSecret, updateId: n, fromId: 4_000 + n }),
  }),
  'of a suspended tenant’s bot': (n) => ({
    path: 'telegram/dave',
    request: telegramUpdate({ secret: 'dave-webhook-secret', updateId: n }),
  }),
  'of a suspended tenant’s Slack': (n) => ({
    path: 'slack/dave',
    request: signSlack({ secret: slackSecret, body: JSON.stringify(slackMessage(n)) }),
  }),
  'of a suspended tenant’s programs': (n) => ({
    path: 'http/dave',
    request: signStandardWebhook({ secret: httpSecret, id: `msg_${n}`, body: '{"text":"hi"}' }),
  }),
  'above a tenant’s limit': (n) => ({
    path: 'telegram/carol',
    request: telegramUpdate({
      secret: 'carol-webhook-secret',
      updateId: n,
      content: {
        message: {
          message_id: n,
          date: carolsMinute,
          text: 'hi',
          from: { id: 5_000 + n, is_bot: false, first_name: 'P' },
          chat: { id: 5_000 + n, type: 'private' },
        },
      },
    }),
  }),
};

let rockpool: Installation;
let alice: TelegramBot;
beforeAll(async () => {
  rockpool = await Installation.open();
  await rockpool.apply(tenants);
  alice = rockpool.telegram.bot({ token: aliceBotToken });
  const carol = rockpool.telegram.bot({ token: '222222:carol-token' });
  for (let n = 0; n < unwelcome; n++) rockpool.telegram.person({ id: 5_000 + n, name: 'P' }).chat(carol);
});
afterAll(() => rockpool.close());

/** The statuses, in the order of the events; so many are under way at once. */
async function post(events: readonly Event[]): Promise<number[]> {
  const statuses: number[] = [];
  const waiting = events.map((event, index) => ({ ...event, index }));
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { headers, body } = next.request;
      const response = await fetch(`${rockpool.url}/webhooks/${next.path}`, { method: 'POST', headers, body: String(body) });
      await response.body?.cancel();
      statuses[next.index] = response.status;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return statuses;
}

/** How many events of a tenant ended in each way, once none is open. */
async function endings(tenant: string, count: number): Promise<Record<string, number>> {
  const path = `inbox?tenant=${tenant}&limit=1000`;
  let events: readonly { open: boolean; state: string; reason?: string }[] = [];
  await eventually(
    () => `${events.filter(({ open }) => !open).length} of ${count} events of ${tenant} came to an end`,
    async () => {
      events = (await askControlPlane<{ items: typeof events }>(rockpool.product.dataDir, path)).items;
      return events.length === count && events.every(({ open }) => !open);
    },
  );
  const groups = Map.groupBy(events, ({ state, reason }) => reason ?? state);
  return Object.fromEntries([...groups].map(([ending, { length }]) => [ending, length]));
}

describe('402 signed events of which 97 in 100 are unwelcome', () => {
  it('all get 200, so that no channel turns the app off, and the tenant that is well is served', async () => {
    const chats = Array.from({ length: welcome }, (_, n) => rockpool.telegram.person({ id: 600 + n, name: `P${n}` }).chat(alice));
    const wanted = chats.map((chat, n): Event => {
      const text = `hello ${n} of alice`;
      return { path: 'telegram/alice', request: telegramUpdate({ secret: aliceSecret, updateId: n, fromId: chat.id, text }) };
    });
    const others = Object.values(kinds).flatMap((kind) => Array.from({ length: unwelcome }, (_, n) => kind(n)));
    const events = new Random('unwelcome').shuffle([...wanted, ...others]);
    expect(wanted.length / events.length).toBeLessThanOrEqual(0.03);

    const statuses = await post(events);
    expect([...Map.groupBy(statuses, (status) => status).keys()]).toEqual([200]);
    await Promise.all(chats.map((chat, n) => chat.waitForAnswer(({ text }) => text.includes(`hello ${n} of alice`), 20_000)));
  });

  it('are each on record with the reason', async () => {
    expect(await endings('alice', welcome)).toEqual({ done: welcome });
    expect(await endings('_unrouted', unwelcome)).toEqual({ 'unknown-tenant': unwelcome });
    expect(await endings('dave', unwelcome * 3)).toEqual({ suspended: unwelcome * 3 });
    expect(await endings('carol', unwelcome)).toEqual({ done: carolsLimit, 'rate-limited': unwelcome - carolsLimit });
  });

  it('cost nobody’s model anything', () => {
    expect(rockpool.model.requests).toHaveLength(welcome + carolsLimit);
  });
});
