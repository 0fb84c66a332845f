import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  eventually,
  freePort,
  GoogleStack,
  imagesOf,
  ModelSimulator,
  SlackSimulator,
  startProcess,
  TelegramSimulator,
  type Ledger,
  type RunningProcess,
  type StackDelivery,
} from '@rockpool/testkit';
import { ask, askControlPlane } from './control-plane.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const commandInCheckout = join(root, 'apps/cli/bin/rockpool.mjs');

export const aliceBotToken = '111111:alice-token';
export const aliceSecret = 'alice-webhook-secret';
export const sharedBotToken = '999999:shared-token';
export const sharedSecret = 'shared-webhook-secret';
export const slackBotToken = 'xoxb-alice';
export const slackSecret = 'slack-signing-secret';
export const httpSecret = `whsec_${Buffer.from('a secret of thirty-two bytes ....').toString('base64')}`;

const tenants = `
shared:
  telegram: { botToken: "env://SHARED_TOKEN", webhookSecret: "env://SHARED_SECRET" }
tenants:
  alice:
    displayName: Alice Smith
    plan: pro
    agent: { model: auto, instructions: You are Alice's assistant. }
    channels:
      telegram: { botToken: "env://ALICE_TOKEN", webhookSecret: "env://ALICE_SECRET", dmPolicy: open }
      slack: { team: T0123, botToken: "env://SLACK_TOKEN", signingSecret: "env://SLACK_SECRET" }
      web: { access: public }
      http: { secret: "env://HTTP_SECRET" }
  bob:
    channels: { telegram: { shared: true, people: ["67890"] } }
  carol:
    channels:
      telegram: { botToken: "env://CAROL_TOKEN", webhookSecret: "env://CAROL_SECRET", dmPolicy: allowlist, allowFrom: ["12345"] }
  dave:
    suspended: true
    channels: { telegram: { botToken: "env://DAVE_TOKEN", webhookSecret: "env://DAVE_SECRET", dmPolicy: open } }
`;

const secrets = {
  SHARED_TOKEN: sharedBotToken,
  SHARED_SECRET: sharedSecret,
  ALICE_TOKEN: aliceBotToken,
  ALICE_SECRET: aliceSecret,
  SLACK_TOKEN: slackBotToken,
  SLACK_SECRET: slackSecret,
  HTTP_SECRET: httpSecret,
  CAROL_TOKEN: '222222:carol-token',
  CAROL_SECRET: 'carol-webhook-secret',
  DAVE_TOKEN: '333333:dave-token',
  DAVE_SECRET: 'dave-webhook-secret',
};

/** A holder of a conversation that was killed is waited for so long, where several processes may hold one. */
const leaseMs = 5_000;

/** `embedded`: one process, as `npm start` does it. `google`: what the containers run, two processes of each app that messages and work go through, on the emulators. */
export type EngineName = 'embedded' | 'google';

interface InstallationOptions {
  readonly engine?: EngineName;
  /** Of the Google engine; `pull` when absent. */
  readonly delivery?: StackDelivery;
  /** Notes what the simulated channels deliver. */
  readonly ledger?: Ledger;
  /** `off` for floods that no real chat would send. */
  readonly limits?: 'strict' | 'off';
  /** Settings beside those that every installation has. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** The built product as it runs, from a checkout (embedded) or from its images (Google), with simulated Telegram, Slack and model beside it, and tenants applied. */
export class Installation {
  private constructor(
    /** Of the embedded engine there is one. */
    readonly processes: readonly RunningProcess[],
    readonly url: string,
    readonly telegram: TelegramSimulator,
    readonly slack: SlackSimulator,
    readonly model: ModelSimulator,
    private readonly folder: string,
    private readonly environment: Readonly<Record<string, string>>,
    /** The program that is its command line. */
    private readonly command: string,
    private readonly stop: () => Promise<void>,
    /** What the Google engine runs on. */
    readonly stack: GoogleStack | undefined,
  ) {}

  static async open(options: InstallationOptions = {}): Promise<Installation> {
    if (!existsSync(join(root, 'apps/cli/dist/main.js'))) throw new Error('the product is not built: npm run build');
    const folder = await mkdtemp(join(tmpdir(), 'rockpool-e2e-'));
    const simulation = { limits: options.limits ?? 'strict', ...(options.ledger && { observer: options.ledger }), retryScale: 0.1 };
    const telegram = new TelegramSimulator(simulation);
    const slack = new SlackSimulator({ ...simulation, retryScale: 0.01 });
    const model = new ModelSimulator();
    const beside = {
      ROCKPOOL_LOG_FORMAT: 'json',
      ROCKPOOL_TELEGRAM_API_URL: await telegram.start(),
      ROCKPOOL_SLACK_API_URL: `${await slack.start()}/api`,
      OPENAI_BASE_URL: `${await model.start()}/v1`,
      ...options.settings,
    };
    const { processes, url, environment, command, stop, stack } = await (options.engine === 'google'
      ? startStack(beside, options.delivery)
      : startEmbedded(beside, folder));
    const installation = new Installation(processes, url, telegram, slack, model, folder, environment, command, stop, stack);
    await installation.apply(tenants);
    return installation;
  }

  /** The one process of the embedded engine. */
  get product(): RunningProcess {
    return this.processes[0]!;
  }

  /** Ends every process at once. Resolves when all are ready again. */
  async restart(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await Promise.all(this.processes.map((process) => process.kill(signal)));
    await Promise.all(this.processes.map((process) => process.start()));
  }

  /** What its processes printed last that is no mere information: what to show when something did not come about. */
  complaints(most = 40): string {
    const lines = this.processes.flatMap((process) => process.lines.filter((line) => !/"severity":"(?:DEBUG|INFO)"/.test(line)));
    return lines.slice(-most).join('\n') || 'no process complained';
  }

  /** Applies a tenants file, as an operator does. */
  async apply(text: string): Promise<void> {
    const file = join(this.folder, 'tenants.yaml');
    await writeFile(file, text);
    await this.rockpool('apply', file, '--yes');
  }

  /** Runs a command of the product and resolves with what it printed on stdout. */
  async rockpool(...args: string[]): Promise<string> {
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...this.environment, ...secrets };
    const { stdout } = await run(process.execPath, [this.command, ...args], { env });
    return stdout;
  }

  /** What the inbox says. */
  async inbox(filter: Readonly<Record<string, string>> = {}): Promise<InboxRow[]> {
    const path = `inbox?${new URLSearchParams(filter)}`;
    const { items } = await (this.stack
      ? ask<{ items: InboxRow[] }>(this.stack.apps.console.url, this.environment['ROCKPOOL_ADMIN_TOKEN']!, path)
      : askControlPlane<{ items: InboxRow[] }>(this.product.dataDir, path));
    return items;
  }

  /** A row of the inbox that is so, as soon as there is one. */
  inboxRow(filter: Readonly<Record<string, string>>, isSo: (row: InboxRow) => boolean = () => true): Promise<InboxRow> {
    return eventually(`a row of the inbox, ${JSON.stringify(filter)}`, async () => (await this.inbox(filter)).find(isSo));
  }

  async close(): Promise<void> {
    await this.stop();
    await Promise.all([this.telegram.close(), this.slack.close(), this.model.close()]);
    await rm(this.folder, { recursive: true, force: true });
  }
}

interface Started {
  readonly processes: readonly RunningProcess[];
  readonly url: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly command: string;
  readonly stop: () => Promise<void>;
  readonly stack?: GoogleStack;
}

async function startEmbedded(beside: Readonly<Record<string, string>>, folder: string): Promise<Started> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const environment = {
    ...beside,
    PORT: String(port),
    ROCKPOOL_DATA_DIR: join(folder, 'data'),
    ROCKPOOL_KEY_FILE: join(folder, 'keys', 'master.key'),
  };
  const product = await startProcess({
    command: process.execPath,
    args: [commandInCheckout, 'start'],
    env: environment,
    dataDir: environment.ROCKPOOL_DATA_DIR,
    readyUrl: `${url}/readyz`,
  });
  return { processes: [product], url, environment, command: commandInCheckout, stop: () => product.stop() };
}

async function startStack(beside: Readonly<Record<string, string>>, delivery?: StackDelivery): Promise<Started> {
  const programs = await imagesOf(root);
  const stack = await GoogleStack.start({
    root,
    programs,
    copies: { console: 1 },
    ...(delivery && { delivery }),
    env: { ...beside, ROCKPOOL_LEASE_MS: String(leaseMs) },
  });
  const command = join(programs, 'apps/rockpool/dist/main.js');
  return { processes: stack.processes, url: stack.url, environment: stack.environment, command, stop: () => stack.stop(), stack };
}

export interface InboxRow {
  readonly tenantId: string;
  readonly eventId: string;
  readonly state: string;
  readonly reason?: string;
  readonly message: { readonly text: string };
}
