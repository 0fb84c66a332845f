import { setTimeout as pause } from 'node:timers/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { signSlack, signTelegram } from '@rockpool/testkit';
import { Installation, slackSecret } from '../installation.js';

/**
 * Two tenants: one has listed a person whom nobody of the fixtures is, the other has listed nobody at all. Every kind of event that the providers document comes
 * from somebody who is not listed.
 */
const tenants = `
tenants:
  carol:
    channels:
      telegram: { botToken: "env://CAROL_TOKEN", webhookSecret: "env://CAROL_SECRET", dmPolicy: allowlist, allowFrom: ["1"], groups: ["-1"] }
      slack: { team: TCAROL, botToken: "env://SLACK_TOKEN", signingSecret: "env://SLACK_SECRET", dmPolicy: allowlist, allowFrom: ["UNOBODY"], channels: ["CNONE"] }
  dave:
    channels:
      telegram: { botToken: "env://DAVE_TOKEN", webhookSecret: "env://DAVE_SECRET" }
      slack: { team: TDAVE, botToken: "env://SLACK_TOKEN", signingSecret: "env://SLACK_SECRET", dmPolicy: allowlist, channels: ["CNONE"] }
`;

const fixtures = new URL('../../../../libs/channels/fixtures/', import.meta.url);
const fixturesOf = (channel: string, ending: string) =>
  readdirSync(new URL(`${channel}/`, fixtures))
    .filter((name) => name.endsWith(ending))
    .map((name) => [name, readFileSync(new URL(`${channel}/${name}`, fixtures), 'utf8')] as const);

let rockpool: Installation;
beforeAll(async () => {
  rockpool = await Installation.open();
  await rockpool.apply(tenants);
});
afterAll(() => rockpool.close());

const post = async (path: string, { headers, body }: { headers: Readonly<Record<string, string>>; body: string | Uint8Array }) =>
  (await fetch(rockpool.url + path, { method: 'POST', headers, body: String(body) })).status;

describe.each(['carol', 'dave'])('a sender who is not listed by %s', (tenant) => {
  it.each(fixturesOf('telegram', '.json'))('runs nothing by %s of Telegram', async (_name, body) => {
    expect(await post(`/webhooks/telegram/${tenant}`, signTelegram({ secret: `${tenant}-webhook-secret`, body }))).toBe(200);
  });

  it.each(fixturesOf('slack', '.json').filter(([name]) => name !== 'url-verification.json'))(
    'runs nothing by %s of Slack',
    async (_name, body) => {
      const ownTeam = body.replaceAll('T0123', `T${tenant.toUpperCase()}`);
      expect(await post(`/webhooks/slack/${tenant}`, signSlack({ secret: slackSecret, body: ownTeam }))).toBe(200);
    },
  );

  it.each(fixturesOf('slack', '.form'))('runs nothing by the form %s of Slack', async (_name, body) => {
    const request = signSlack({
      secret: slackSecret,
      body: body.replaceAll('T0123', `T${tenant.toUpperCase()}`),
      contentType: 'application/x-www-form-urlencoded',
    });
    expect(await post(`/webhooks/slack/${tenant}`, request)).toBe(200);
  });

  it('has left records without words, and nothing else', async () => {
    const rows = await settled(tenant);
    expect(rows.length).toBeGreaterThan(60);
    expect([...new Set(rows.map(({ state }) => state))]).toEqual(['dropped']);
    expect(rows.filter(({ message }) => message.text !== '')).toEqual([]);
    expect(rockpool.model.requests).toEqual([]);
    expect(rockpool.telegram.calls.filter(({ method }) => /^(send|edit|answer)/.test(method))).toEqual([]);
    expect(rockpool.slack.calls.filter(({ method }) => method.startsWith('chat.'))).toEqual([]);
  });
});

/** The rows of a tenant once no more were added for a second. */
async function settled(tenant: string) {
  let count = 0;
  let since = performance.now();
  for (;;) {
    const rows = await rockpool.inbox({ tenant, limit: '1000' });
    const isOpen = rows.some(({ state }) => state === 'pending' || state === 'running');
    if (rows.length > count || isOpen) since = performance.now();
    else if (performance.now() - since > 1_000) return rows;
    count = rows.length;
    await pause(100);
  }
}
