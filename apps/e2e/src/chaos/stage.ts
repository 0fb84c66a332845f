import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  eventually,
  Ledger,
  ModelSimulator,
  ReplyReceiver,
  SlackSimulator,
  StandardWebhooksSender,
  TelegramSimulator,
  type FaultRule,
  type ShownMessage,
} from '@rockpool/testkit';
import type { EngineName } from '../installation.js';
import { InstalledProduct, steadyPort } from './installed-product.js';
import type { ChaosChannel } from './options.js';
import { httpConversation, httpTalk, slackDirectTalk, slackThreadsTalk, telegramTalk, type Talk } from './talks.js';
import { chaosTenants, httpSecret, personId, sharedBot, tenantsFileOf, type ChaosTenant } from './tenancy.js';

/** What a stage is set up with. */
export interface StageOptions {
  readonly engine?: EngineName;
  readonly seed: string | number;
  readonly tenants: number;
  readonly channels: readonly ChaosChannel[];
  readonly limits?: 'strict' | 'off';
  /** Senders wait this share of the real time between attempts, on every channel; a tenth or less when absent. */
  readonly retryScale?: number;
  readonly withCrashPoints?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
}

/** The senders' waits between attempts, as shares of the real ones: a restart here is shorter than a deployment, and nobody waits an hour for a run. */
const usualRetryScale = { telegram: 0.1, slack: 0.1, http: 0.002 };

/** A call by which the product said something to a person, or tried to. */
export interface Utterance {
  readonly channel: ChaosChannel;
  readonly text: string;
  readonly at: number;
}

/** The product with all its tenants, among simulated channels and a simulated model, and a ledger that watches. */
export class Stage {
  private replySeen = new Map<ReplyReceiver, number>();
  private telegramSeen = 0;
  private slackSeen = 0;

  private constructor(
    readonly product: InstalledProduct,
    readonly ledger: Ledger,
    readonly telegram: TelegramSimulator,
    readonly slack: SlackSimulator,
    readonly model: ModelSimulator,
    private readonly receivers: readonly ReplyReceiver[],
    private readonly senders: readonly StandardWebhooksSender[],
    private readonly tenants: readonly ChaosTenant[],
    private readonly webhooks: string,
    private readonly folder: string,
  ) {
    this.install();
  }

  static async open(options: StageOptions): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'rockpool-chaos-'));
    const ledger = new Ledger(options.seed);
    const retryScale = {
      ...usualRetryScale,
      ...(options.retryScale !== undefined && { telegram: options.retryScale, slack: options.retryScale }),
    };
    const simulation = { limits: options.limits ?? 'off', observer: ledger };
    const telegram = new TelegramSimulator({ ...simulation, retryScale: retryScale.telegram });
    const slack = new SlackSimulator({ ...simulation, retryScale: retryScale.slack, ownMessageEvents: false });
    const model = new ModelSimulator();
    const receivers = Array.from({ length: options.tenants }, (_, index) => new ReplyReceiver({ secret: httpSecret(index) }));
    const opened = [telegram, slack, model, ...receivers];
    try {
      const replyUrls = await Promise.all(receivers.map((receiver) => receiver.start()));
      const tenants = chaosTenants(options.tenants, options.channels, replyUrls);
      const port = await steadyPort(options.seed);
      const product = await InstalledProduct.start({
        ...(options.engine && { engine: options.engine }),
        folder,
        port,
        ...tenantsFileOf(tenants),
        environment: {
          ROCKPOOL_TELEGRAM_API_URL: await telegram.start(),
          ROCKPOOL_SLACK_API_URL: `${await slack.start()}/api`,
          OPENAI_BASE_URL: `${await model.start()}/v1`,
          ROCKPOOL_LOG_LEVEL: 'warn',
          ...options.environment,
        },
        withCrashPoints: options.withCrashPoints ?? false,
      });
      const webhooks = `http://127.0.0.1:${port}/webhooks`;
      const senders = tenants.map(
        ({ id }, index) =>
          new StandardWebhooksSender({
            url: `${webhooks}/http/${id}`,
            secret: httpSecret(index),
            retryScale: retryScale.http,
            observer: ledger,
          }),
      );
      return new Stage(product, ledger, telegram, slack, model, receivers, senders, tenants, webhooks, folder);
    } catch (error) {
      await Promise.all(opened.map((simulator) => simulator.close()));
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** A conversation with a tenant; the same `n` is the same person. Every fourth on Slack is a person who mentions the app in a channel. */
  talk(channel: ChaosChannel, tenantIndex: number, n: number): Talk {
    const { id, telegram, slack } = this.tenants[tenantIndex]!;
    switch (channel) {
      case 'telegram': {
        const token = telegram && 'botToken' in telegram ? telegram.botToken : sharedBot.botToken;
        const bot = this.bots.get(token)!;
        const chat = this.telegram.person({ id: personId(tenantIndex, n), name: `P${n}` }).chat(bot);
        return telegramTalk(id, this.telegram.conversation(chat.id, bot), chat);
      }
      case 'slack': {
        const app = this.apps.get(id)!;
        const person = this.slack.person({ id: `U${id.toUpperCase()}N${n}`, name: `P${n}`, team: slack!.team });
        if (n % 4 === 3) {
          const room = this.slack.channel({ id: `C${id.toUpperCase()}N${n}`, apps: [app] });
          return slackThreadsTalk(id, app, person.in(room, app), (ts) => this.slack.conversation(room, ts));
        }
        const screen = person.direct(app);
        return slackDirectTalk(id, this.slack.conversation(screen), screen);
      }
      case 'http':
        return httpTalk(id, `c${n}`, this.senders[tenantIndex]!);
    }
  }

  /** Every message of the product that is visible to somebody. */
  shown(): ShownMessage[] {
    const replies = this.receivers.flatMap((receiver, index) =>
      receiver.shown((payload) => {
        const data = payload['data'] as { conversation?: unknown } | undefined;
        return httpConversation(this.tenants[index]!.id, String(data?.conversation));
      }),
    );
    return [...this.telegram.shown(), ...this.slack.shown(), ...replies];
  }

  /** Resolves when every accepted message has its answer; rejects with those that have none. */
  async untilAnswered(): Promise<void> {
    const unanswered = () => this.ledger.unanswered(this.shown());
    await eventually(
      () => `no answer to ${unanswered().join(', ')}; the product said:\n${this.product.lines.slice(-20).join('\n')}`,
      () => unanswered().length === 0,
    );
  }

  /** Resolves when the model was asked so many times in all. */
  async untilAsked(times: number): Promise<void> {
    await eventually(
      () => `the model was asked ${this.model.requests.length} of ${times} times`,
      () => this.model.requests.length >= times,
    );
  }

  /** What was said since the last call, in the order of each channel. */
  utterances(): Utterance[] {
    const telegram = this.telegram.calls.slice(this.telegramSeen);
    const slack = this.slack.calls.slice(this.slackSeen);
    this.telegramSeen += telegram.length;
    this.slackSeen += slack.length;
    const said: Utterance[] = [
      ...telegram
        .filter(({ status }) => status === 200)
        .map(({ parameters, at }) => ({ channel: 'telegram' as const, text: String(parameters['text'] ?? ''), at })),
      ...slack
        .filter(({ error }) => error === undefined)
        .map((call) => ({ channel: 'slack' as const, text: String(call.arguments['text'] ?? ''), at: call.at })),
    ];
    for (const receiver of this.receivers) {
      const replies = receiver.replies();
      const seen = this.replySeen.get(receiver) ?? 0;
      this.replySeen.set(receiver, replies.length);
      for (const { payload } of replies.slice(seen)) said.push({ channel: 'http', text: JSON.stringify(payload), at: Date.now() });
    }
    return said;
  }

  /** The fault from now on strikes the product's requests to every channel, each with a stream of chance of its own. */
  disturb(rule: FaultRule): void {
    this.telegram.faults.add({ ...rule, seed: `${rule.seed}/telegram` });
    this.slack.faults.add({ ...rule, seed: `${rule.seed}/slack` });
    this.receivers.forEach((receiver, index) => receiver.faults.add({ ...rule, seed: `${rule.seed}/http/${index}` }));
  }

  /** Every channel answers properly again. */
  calm(): void {
    for (const simulator of [this.telegram, this.slack, ...this.receivers]) simulator.faults.clear();
  }

  /** Ends everything that was started and removes the data. */
  async close(): Promise<void> {
    for (const sender of this.senders) sender.close();
    await this.product.stop();
    await Promise.all([this.telegram, this.slack, this.model, ...this.receivers].map((simulator) => simulator.close()));
    await rm(this.folder, { recursive: true, force: true });
  }

  private readonly bots = new Map<string, ReturnType<TelegramSimulator['bot']>>();
  private readonly apps = new Map<string, ReturnType<SlackSimulator['app']>>();

  private install(): void {
    const shared = { url: `${this.webhooks}/telegram`, secret: sharedBot.secret };
    this.bots.set(sharedBot.botToken, this.telegram.bot({ token: sharedBot.botToken, webhook: shared }));
    for (const { id, telegram, slack } of this.tenants) {
      if (telegram && 'botToken' in telegram) {
        const webhook = { url: `${this.webhooks}/telegram/${id}`, secret: telegram.secret };
        this.bots.set(telegram.botToken, this.telegram.bot({ token: telegram.botToken, webhook }));
      }
      if (slack) this.apps.set(id, this.slack.app({ ...slack, eventsUrl: `${this.webhooks}/slack/${id}` }));
    }
  }
}
