import {
  freePort,
  signSlack,
  signStandardWebhook,
  SlackSimulator,
  telegramUpdate,
  TelegramSimulator,
  type SignedRequest,
} from '@rockpool/testkit';
import { quantile, rounded, type Figure } from './figures.js';
import { startProduct } from './product.js';
import { postWebhook } from './webhook-post.js';

const tenantCount = 20;
const peoplePerTenant = 100;
const perSecond = 100;
/** After which Slack and Discord give a webhook up. */
const patienceMs = 3_000;
const telegramSecret = 'bench-secret';
const slackSecret = 'bench-signing-secret';
const httpSecret = `whsec_${Buffer.from('a secret of thirty-two bytes ....').toString('base64')}`;

/**
 * What a webhook waits for its 2xx, at 100 a second, while no agent host answers: nothing is worked off, and all that comes is kept. Milliseconds from when a request
 * was due. Rejects when one is not accepted, or when somebody is answered all the same.
 */
export async function measureAcks(seconds: number): Promise<Figure[]> {
  const telegram = new TelegramSimulator({ limits: 'off' });
  const slack = new SlackSimulator({ limits: 'off', ownMessageEvents: false });
  const bots = Array.from({ length: tenantCount }, (_, n) => telegram.bot({ token: `${1000 + n}:token` }));
  const environment = {
    ROCKPOOL_AGENT_HOST_URL: `http://127.0.0.1:${await freePort()}`,
    ROCKPOOL_TELEGRAM_API_URL: await telegram.start(),
    ROCKPOOL_SLACK_API_URL: `${await slack.start()}/api`,
    TELEGRAM_SECRET: telegramSecret,
    SLACK_SECRET: slackSecret,
    HTTP_SECRET: httpSecret,
    ...Object.fromEntries(
      bots.flatMap(({ token }, n) => [
        [`BOT_${n}`, token],
        [`APP_${n}`, `xoxb-${n}`],
      ]),
    ),
  };
  const product = await startProduct(
    environment,
    JSON.stringify({ tenants: Object.fromEntries(bots.map((_, n) => [`t${n}`, tenant(n)])) }),
  );
  try {
    await paced(product.url, 2);
    const cpuBefore = await product.cpuMs();
    const acks = await paced(product.url, seconds);
    const cpuMs = (await product.cpuMs()) - cpuBefore;
    const answered = telegram.calls.filter(({ method }) => method === 'sendMessage').length + slack.shown().length;
    if (answered > 0) throw new Error(`${answered} messages were answered: the agent host was not dead`);
    return [
      { name: `ack with dead hosts, ${perSecond}/s, p50`, value: rounded(quantile(acks, 0.5)), unit: 'ms' },
      {
        name: `ack with dead hosts, ${perSecond}/s, p99`,
        value: rounded(quantile(acks, 0.99)),
        unit: 'ms',
        target: { at: 'most', value: 250 },
      },
      { name: 'the longest ack', value: rounded(Math.max(...acks)), unit: 'ms', target: { at: 'most', value: 1_000 } },
      {
        name: `acks over 3 s, of ${acks.length}`,
        value: acks.filter((ms) => ms > patienceMs).length,
        unit: 'webhooks',
        target: { at: 'most', value: 0 },
      },
      { name: 'processor time a webhook', value: rounded(cpuMs / acks.length), unit: 'ms' },
      { name: 'resident memory in the end', value: Math.round(await product.residentMiB()), unit: 'MiB' },
    ];
  } finally {
    await product.close();
    await Promise.all([telegram.close(), slack.close()]);
  }
}

function tenant(n: number) {
  return {
    limits: { messagesPerMinute: 1_000_000 },
    channels: {
      telegram: { botToken: `env://BOT_${n}`, webhookSecret: 'env://TELEGRAM_SECRET', dmPolicy: 'open' },
      slack: { team: `T${n}`, botToken: `env://APP_${n}`, signingSecret: 'env://SLACK_SECRET' },
      http: { secret: 'env://HTTP_SECRET' },
    },
  };
}

/** Evenly paced, whatever is still unanswered: the wait of each, from when it was due. */
async function paced(url: string, seconds: number): Promise<number[]> {
  const waits: Promise<number>[] = [];
  const began = performance.now();
  for (let n = 0; n < perSecond * seconds; n++) {
    const due = began + (n * 1000) / perSecond;
    const aheadMs = due - performance.now();
    if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    waits.push(acked(url, due));
  }
  return Promise.all(waits);
}

let next = 1;

async function acked(url: string, due: number): Promise<number> {
  const n = next++;
  const { path, request } = webhook(n);
  const status = await postWebhook(`${url}/webhooks/${path}`, request.headers, request.body);
  if (status !== 200) throw new Error(`webhook ${n} got ${status}`);
  return performance.now() - due;
}

/** The n-th message: the channels in turn, then the tenants, then their people. */
function webhook(n: number): { path: string; request: SignedRequest } {
  const tenant = Math.floor(n / 3) % tenantCount;
  const person = Math.floor(n / (3 * tenantCount)) % peoplePerTenant;
  const text = `message ${n}`;
  switch (n % 3) {
    case 0:
      return {
        path: `telegram/t${tenant}`,
        request: telegramUpdate({ updateId: n, secret: telegramSecret, fromId: 1_000_000 + person, text }),
      };
    case 1:
      return { path: `slack/t${tenant}`, request: signSlack({ secret: slackSecret, body: slackMessage(n, tenant, person, text) }) };
    default: {
      const body = JSON.stringify({ type: 'message', data: { conversation: `c${person}`, text } });
      return { path: `http/t${tenant}`, request: signStandardWebhook({ secret: httpSecret, id: `msg_${n}`, body }) };
    }
  }
}

function slackMessage(n: number, tenant: number, person: number, text: string): string {
  const ts = `${1_700_000_000 + n}.000100`;
  return JSON.stringify({
    type: 'event_callback',
    team_id: `T${tenant}`,
    api_app_id: `A${tenant}`,
    event_id: `Ev${n}`,
    event_time: Math.floor(Date.now() / 1000),
    authorizations: [{ user_id: `UBOT${tenant}`, is_bot: true }],
    event: { type: 'message', channel_type: 'im', channel: `D${person}`, user: `U${person}`, text, ts },
  });
}
