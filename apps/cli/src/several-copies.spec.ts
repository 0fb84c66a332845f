import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { parseConfig, type PlatformConfig, type RunningService } from '@rockpool/service';
import { startApps } from '@rockpool/platform';
import { TenantDirectory, tenantsFile } from '@rockpool/tenancy';
import { Ledger, ModelSimulator, TelegramSimulator } from '@rockpool/testkit';
import { appModules, openPlatform, type Platform } from './compose.js';

const conversations = 40;
const token = '990111:token';
const secret = 'webhook-secret';

/** Two copies of every app over one engine. Each dispatcher pushes to the other copy's host, so that every turn crosses between them. */
async function openTwo(ledger: Ledger) {
  const folder = await mkdtemp(join(tmpdir(), 'rockpool-copies-'));
  const telegram = new TelegramSimulator({ limits: 'off', observer: ledger, retryScale: 0.1 });
  const model = new ModelSimulator();
  const parsed = parseConfig({
    PORT: '0',
    ROCKPOOL_DATA_DIR: join(folder, 'data'),
    ROCKPOOL_KEY_FILE: join(folder, 'keys', 'master.key'),
    ROCKPOOL_TELEGRAM_API_URL: await telegram.start(),
    OPENAI_BASE_URL: `${await model.start()}/v1`,
  });
  const { config } = parsed as { config: PlatformConfig };
  const platform = await openPlatform(config, 'test');
  const directory = new TenantDirectory(platform.cloud.documents, platform.cloud.secrets);
  const channels = { telegram: { botToken: 'secret://alice/bot', webhookSecret: 'secret://alice/hook', dmPolicy: 'open' } };
  const file = tenantsFile.parse({ tenants: { alice: { channels } } });
  await directory.apply(await directory.plan(file, { 'alice/bot': token, 'alice/hook': secret }));
  const urls: string[] = [];
  const start = async (copy: number): Promise<RunningService> => {
    const modules = appModules(platform, {
      agentHost: { leases: { holder: `host-${copy}`, leaseMs: 5_000 } },
      dispatcher: { hostUrl: () => urls[1 - copy] ?? urls[copy]! },
    });
    const service = await startApps(`copy-${copy}`, platform, modules, { silent: true });
    urls[copy] = service.url;
    return service;
  };
  const services = [await start(0), await start(1)];
  const close = async () => {
    await Promise.all([telegram.close(), model.close()]);
    await Promise.all(services.map((service) => service.close()));
    await platform.close();
    await rm(folder, { recursive: true });
  };
  return { platform, telegram, urls, close };
}

let close: () => Promise<void>;
afterEach(() => close());

describe('two copies of every app', () => {
  it('share the work: each message is answered once, in order, whichever copy it meets', async () => {
    const ledger = new Ledger(7);
    const two = await openTwo(ledger);
    close = two.close;
    const bot = two.telegram.bot({ token, webhook: { url: `${two.urls[0]}/webhooks/telegram/alice`, secret } });
    const chats = Array.from({ length: conversations }, (_, n) => two.telegram.person({ id: 100 + n, name: `P${n}` }).chat(bot));
    for (const round of [0, 1, 2]) {
      // Telegram delivers to one address; a balancer would choose. So the address changes between the rounds.
      bot.webhook = { ...bot.webhook!, url: `${two.urls[round % 2]}/webhooks/telegram/alice` };
      const said = chats.map((chat) => chat.say(ledger.message(two.telegram.conversation(chat.id, bot))));
      await Promise.all(said.map(({ accepted }) => accepted));
    }
    await settled(two.platform);
    expect(ledger.check(two.telegram.shown())).toMatchObject({ ok: true, accepted: 3 * conversations, answered: 3 * conversations });
  });
});

/** Resolves once no turn is open. */
async function settled({ inbox }: Platform): Promise<void> {
  while ((await inbox.stranded(Date.now() + 1_000)).items.length > 0) await new Promise((resolve) => setTimeout(resolve, 50));
}
