import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from '@jest/globals';
import { isTerminal } from '@rockpool/contracts';
import { ReplyReceiver, SlackSimulator, TelegramSimulator } from '@rockpool/testkit';
import { operatorWays, type OperatorAccess } from './operator-ways.js';

const notice = { id: 'alert_1', phase: 'begun', text: '🔴 Rockpool: <b>disk</b> & *more*\nWhat to do: make room', alerts: ['disk'] };
const nowhere = { telegramApiUrl: 'http://127.0.0.1:9', slackApiUrl: 'http://127.0.0.1:9' };

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function tell(access: OperatorAccess, destinations: Partial<typeof nowhere> = {}): Promise<void> {
  const [way] = operatorWays(access, { ...nowhere, ...destinations });
  await way!.tell(notice);
}

const problemOf = (told: Promise<void>) => told.then(() => undefined).catch((error: Error) => error);

it('are those that are set up', () => {
  expect(operatorWays({}, nowhere)).toEqual([]);
  const all = operatorWays(
    { telegram: { botToken: '1:A', chatId: '1' }, slack: { webhookUrl: 'https://x' }, webhook: { url: 'https://x', secret: 'whsec_AAAA' } },
    nowhere,
  );
  expect(all.map(({ name }) => name)).toEqual(['telegram', 'slack', 'webhook']);
});

it('Telegram shows the text as it is', async () => {
  const telegram = new TelegramSimulator();
  const telegramApiUrl = await telegram.start();
  closing.push(() => telegram.close());
  const bot = telegram.bot({ token: '1000001:secret' });
  const group = telegram.group({ title: 'operators', bots: [bot] });
  await tell({ telegram: { botToken: '1000001:secret', chatId: String(group.id) } }, { telegramApiUrl });
  expect(telegram.visible(group.id).map(({ text }) => text)).toEqual([notice.text]);
  const refused = await problemOf(tell({ telegram: { botToken: '1000001:wrong', chatId: '1' } }, { telegramApiUrl }));
  expect(isTerminal(refused)).toBe(true);
  expect(String(refused)).not.toContain('wrong');
});

it('Slack shows the text as it is, by bot and by incoming webhook', async () => {
  const slack = new SlackSimulator();
  const slackApiUrl = await slack.start();
  closing.push(() => slack.close());
  const app = slack.app({ team: 'T1', botToken: 'xoxb-1', signingSecret: 's' });
  const screen = slack.person({ id: 'U1', name: 'Olga', team: 'T1' }).direct(app);
  await tell({ slack: { botToken: 'xoxb-1', channel: screen.id } }, { slackApiUrl });
  expect(screen.visible().map(({ text }) => text)).toEqual([notice.text]);
  const hook = await hookThat(200);
  await tell({ slack: { webhookUrl: `${hook.url}/services/T/B/secret` } });
  expect(hook.bodies).toEqual([expect.objectContaining({ text: expect.stringContaining('&lt;b&gt;disk') })]);
});

it('an incoming webhook that is gone will never take it, one that is down may later; neither is named', async () => {
  for (const [status, isFinal] of [
    [404, true],
    [410, true],
    [429, false],
    [500, false],
  ] as const) {
    const hook = await hookThat(status);
    const problem = await problemOf(tell({ slack: { webhookUrl: `${hook.url}/services/T/B/secret` } }));
    expect([status, isTerminal(problem)]).toEqual([status, isFinal]);
    expect(String(problem)).not.toContain('services');
  }
});

it('a webhook is signed by Standard Webhooks, and known by its id when it comes again', async () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const receiver = new ReplyReceiver({ secret });
  const url = await receiver.start();
  closing.push(() => receiver.close());
  await tell({ webhook: { url, secret } });
  await tell({ webhook: { url, secret } });
  expect(receiver.replies()).toMatchObject([
    { id: 'alert_1', deliveries: 2, payload: { type: 'alert.begun', data: { text: notice.text, alerts: ['disk'] } } },
  ]);
  const forged = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
  expect(isTerminal(await problemOf(tell({ webhook: { url, secret: forged } })))).toBe(true);
});

async function hookThat(status: number): Promise<{ url: string; bodies: unknown[] }> {
  const bodies: unknown[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      bodies.push(JSON.parse(body));
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies };
}
