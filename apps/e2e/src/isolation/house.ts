import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ManualClock,
  ModelSimulator,
  ReplyReceiver,
  signStandardWebhook,
  StandardWebhooksSender,
  telegramUpdate,
  TelegramSimulator,
  type ModelRequest,
} from '@rockpool/testkit';
import { InstalledProduct, steadyPort } from '../chaos/installed-product.js';
import { askControlPlane } from '../control-plane.js';
import { places, type Operation } from './operations.js';
import { TelegramPlace, WebhookPlace, type Place } from './places.js';

export type TenantName = 'alice' | 'bob';
/** Whether the tenants have Telegram bots of their own, or share the platform's. */
export type Bots = 'own' | 'shared';

const tenantNames = ['alice', 'bob'] as const;
const groupId = -1_001_000_000_001;
// Bots whose ids end alike count their updates from the same number.
const botTokens = { alice: '1000111:token-of-the-first', bob: '2000111:token-of-the-other', shared: '3000111:token-of-the-platform' };
const botSecrets = { alice: 'webhook-secret-of-the-first', bob: 'webhook-secret-of-the-other', shared: 'webhook-secret-of-the-platform' };
const httpSecret = (name: TenantName) => `whsec_${Buffer.from(`thirty-two bytes of ${name.padEnd(12, '.')}`).toString('base64')}`;
const heldMs = 1_000;

/** A turn as the control plane shows it, as far as the tests look into it. */
export interface ShownTurn {
  readonly tenantId: string;
  readonly eventId: string;
  readonly open: boolean;
  readonly state: string;
  readonly command?: unknown;
}

interface Span {
  readonly attributes: Readonly<Record<string, unknown>>;
}

/**
 * The built product with two tenants, whose people, chats, conversations and webhooks have the same names and numbers, as far as their channels let them. On a shared
 * bot the chats differ, since they are what tells the tenants apart.
 */
export class House {
  private readonly places: Record<TenantName, readonly Place[]>;

  private constructor(
    private readonly product: InstalledProduct,
    private readonly url: string,
    private readonly bots: Bots,
    private readonly telegram: TelegramSimulator,
    private readonly model: ModelSimulator,
    private readonly clock: ManualClock,
    private readonly receivers: Record<TenantName, ReplyReceiver>,
    private readonly senders: Record<TenantName, StandardWebhooksSender>,
    private readonly folder: string,
  ) {
    const made = this.makeBots();
    this.places = { alice: this.placesOf('alice', made.alice), bob: this.placesOf('bob', made.bob) };
  }

  static async open(bots: Bots, seed: string): Promise<House> {
    const folder = await mkdtemp(join(tmpdir(), 'rockpool-e2e-'));
    const clock = new ManualClock();
    const telegram = new TelegramSimulator({ limits: 'off', retryScale: 0.1 });
    const model = new ModelSimulator({ clock });
    model.when('forever').reply({ text: 'one two three four', fail: 'hang', failAfterTokens: 3 });
    model.when('hold').reply({ text: ({ lastUserText }) => `Held: ${lastUserText}`, firstTokenMs: heldMs });
    const receivers = { alice: new ReplyReceiver({ secret: httpSecret('alice') }), bob: new ReplyReceiver({ secret: httpSecret('bob') }) };
    const replyUrls = { alice: await receivers.alice.start(), bob: await receivers.bob.start() };
    const port = await steadyPort(seed);
    const url = `http://127.0.0.1:${port}`;
    const product = await InstalledProduct.start({
      folder,
      port,
      ...tenantsFile(bots, replyUrls),
      environment: {
        ROCKPOOL_TELEGRAM_API_URL: await telegram.start(),
        OPENAI_BASE_URL: `${await model.start()}/v1`,
        ROCKPOOL_LOG_LEVEL: 'warn',
      },
    });
    const sender = (name: TenantName) => new StandardWebhooksSender({ url: `${url}/webhooks/http/${name}`, secret: httpSecret(name) });
    const senders = { alice: sender('alice'), bob: sender('bob') };
    return new House(product, url, bots, telegram, model, clock, receivers, senders, folder);
  }

  place(tenant: TenantName, number: number): Place {
    return this.places[tenant][number]!;
  }

  /** What a tenant's people see, place by place. */
  screens(tenant: TenantName): ReturnType<Place['seen']>[] {
    return this.places[tenant].map((place) => place.seen());
  }

  /** What the model was asked on behalf of a tenant. */
  asked(tenant: TenantName): ModelRequest[] {
    return this.model.requests.filter(({ messages }) => messages[0]?.text.includes(`You are the assistant of ${tenant}.`));
  }

  /** Has the model use its tools where the script says so. */
  teach(operations: readonly Operation[]): void {
    for (const operation of operations) {
      if (operation.kind !== 'remember' && operation.kind !== 'recall') continue;
      const given = operation.kind === 'remember' ? { text: operation.words } : { query: operation.words };
      const rule = this.model.when(({ lastUserText }) => lastUserText.endsWith(operation.text));
      rule.reply({ toolCalls: [{ name: operation.kind, arguments: given }] }, { text: ({ toolResults }) => toolResults.join('\n') });
    }
  }

  /** Lets every answer begin that is held back by now. */
  letGo(): void {
    this.clock.advance(heldMs);
  }

  turns(tenant: TenantName): Promise<ShownTurn[]> {
    return this.ask<{ items: ShownTurn[] }>(`inbox?tenant=${tenant}&limit=1000`).then(({ items }) => items);
  }

  /** A turn with its answer. */
  turn(tenant: TenantName, eventId: string): Promise<unknown> {
    return this.ask(`inbox/${tenant}/${encodeURIComponent(eventId)}`);
  }

  spans(eventId: string): Promise<Span[]> {
    return this.ask<{ items: Span[] }>(`traces/${encodeURIComponent(eventId)}`).then(({ items }) => items);
  }

  /** Has an operator run a finished turn again. */
  async replay(tenant: TenantName, eventId: string): Promise<void> {
    await this.ask(`inbox/${tenant}/${encodeURIComponent(eventId)}/replay`, 'POST');
  }

  /** Bob writes to Alice's addresses, under Alice's ids and with his own secrets. The statuses. */
  async impersonate(n: number): Promise<number[]> {
    const update = telegramUpdate({ updateId: 100_000_112 + n, secret: botSecrets.bob, fromId: 501, text: 'it is me, of bob' });
    const body = JSON.stringify({ type: 'message', data: { conversation: 'c0', text: 'it is me, of bob' } });
    const signed = signStandardWebhook({ secret: httpSecret('bob'), id: `msg_${n}`, body });
    const post = async (path: string, init: { headers: Readonly<Record<string, string>>; body: string | Uint8Array }) =>
      (await fetch(`${this.url}/webhooks/${path}`, { method: 'POST', headers: init.headers, body: String(init.body) })).status;
    return Promise.all([post('telegram/alice', update), post('http/alice', signed)]);
  }

  async close(): Promise<void> {
    for (const sender of Object.values(this.senders)) sender.close();
    await this.product.process.stop();
    await Promise.all([this.telegram, this.model, ...Object.values(this.receivers)].map((simulator) => simulator.close()));
    await rm(this.folder, { recursive: true, force: true });
  }

  private makeBots() {
    const bot = (name: keyof typeof botTokens, path: string) =>
      this.telegram.bot({ token: botTokens[name], webhook: { url: `${this.url}/webhooks/telegram${path}`, secret: botSecrets[name] } });
    if (this.bots === 'own') return { alice: bot('alice', '/alice'), bob: bot('bob', '/bob') };
    const shared = bot('shared', '');
    return { alice: shared, bob: shared };
  }

  private placesOf(tenant: TenantName, bot: ReturnType<TelegramSimulator['bot']>): Place[] {
    const ids = chatIds(this.bots, tenant);
    const people = ids.people.map((id) => this.telegram.person({ id, name: 'Ann' }));
    const group = this.telegram.group({ title: 'Team', id: ids.group, bots: [bot] });
    let sent = 0;
    const nextId = () => `msg_${++sent}`;
    return [
      ...people.map((person) => new TelegramPlace(person.chat(bot), '')),
      new TelegramPlace(group.as(people[0]!), `@${bot.user.username} `),
      ...Array.from({ length: places.webhooks }, (_, n) => new WebhookPlace(`c${n}`, this.senders[tenant], this.receivers[tenant], nextId)),
    ];
  }

  private ask<Answer>(path: string, method?: string): Promise<Answer> {
    return askControlPlane(this.product.process.dataDir, path, method);
  }
}

/** The chats of a tenant: the same for both, unless they are what leads to the tenant. */
function chatIds(bots: Bots, tenant: TenantName) {
  const shift = bots === 'shared' && tenant === 'bob' ? 100 : 0;
  return { people: Array.from({ length: places.chats }, (_, n) => 501 + n + shift), group: groupId - shift };
}

function tenantsFile(bots: Bots, replyUrls: Record<TenantName, string>): { tenantsFile: string; secrets: Record<string, string> } {
  const secrets: Record<string, string> = {};
  const secret = (name: string, value: string) => {
    secrets[name] = value;
    return `env://${name}`;
  };
  const bot = (name: keyof typeof botTokens) => ({
    botToken: secret(`${name}_TOKEN`, botTokens[name]),
    webhookSecret: secret(`${name}_SECRET`, botSecrets[name]),
  });
  const tenant = (name: TenantName) => {
    const { people, group } = chatIds(bots, name);
    const telegram = bots === 'shared' ? { shared: true, people, groups: [group] } : { ...bot(name), dmPolicy: 'open', groups: [group] };
    return {
      displayName: name,
      channels: { telegram, http: { secret: secret(`${name}_HTTP`, httpSecret(name)), replyUrl: replyUrls[name] } },
    };
  };
  // JSON is YAML.
  const file = {
    ...(bots === 'shared' && { shared: { telegram: bot('shared') } }),
    tenants: Object.fromEntries(tenantNames.map((name) => [name, tenant(name)])),
  };
  return { tenantsFile: JSON.stringify(file), secrets };
}
