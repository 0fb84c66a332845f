import { ModelSimulator } from '../model/simulator.js';
import type { SlackApp } from '../slack/app.js';
import type { SlackChannel } from '../slack/channel.js';
import { SlackSimulator } from '../slack/simulator.js';
import type { TelegramBot } from '../telegram/bot.js';
import { TelegramSimulator } from '../telegram/simulator.js';

/** What `simulate` is started with. */
export interface StageOptions {
  readonly telegramPort: number;
  readonly slackPort?: number;
  readonly modelPort?: number;
  /** Where Rockpool listens. */
  readonly target: string;
  /** Tenant whose webhooks are posted to. */
  readonly tenant: string;
  /** `<id>:<secret>`; the same every time, so that a tenant that was applied once stays valid. */
  readonly token: string;
  readonly secret: string;
  readonly limits: boolean;
}

const slackTeam = 'T0SIM';
const slackBotToken = 'xoxb-simulated';

/** The simulators of one `simulate` run, connected to a Rockpool. */
export interface Stage {
  readonly telegram: TelegramSimulator;
  readonly bot: TelegramBot;
  readonly slack?: { readonly simulator: SlackSimulator; readonly app: SlackApp; readonly channel: SlackChannel; readonly team: string };
  readonly model?: ModelSimulator;
  /** What to type and to write into tenants.yaml so that Rockpool talks to these simulators. */
  readonly instructions: string;
  close(): Promise<void>;
}

/** Starts what was asked for. Rejects when a port is taken. */
export async function openStage(options: StageOptions): Promise<Stage> {
  const limits = options.limits ? 'strict' : 'off';
  const telegram = new TelegramSimulator({ limits });
  await telegram.start(options.telegramPort);
  const bot = telegram.bot({
    token: options.token,
    username: 'simulated_bot',
    webhook: { url: `${options.target}/webhooks/telegram/${options.tenant}`, secret: options.secret },
  });
  const slack = options.slackPort === undefined ? undefined : await openSlack(options, limits);
  const model = options.modelPort === undefined ? undefined : new ModelSimulator();
  await model?.start(options.modelPort);
  return {
    telegram,
    bot,
    slack,
    model,
    instructions: instructions(options, telegram.url, slack?.simulator.url, model?.url),
    close: async () => {
      await Promise.all([telegram.close(), slack?.simulator.close(), model?.close()]);
    },
  };
}

async function openSlack(options: StageOptions, limits: 'strict' | 'off') {
  const simulator = new SlackSimulator({ limits });
  await simulator.start(options.slackPort);
  const app = simulator.app({
    team: slackTeam,
    botToken: slackBotToken,
    signingSecret: options.secret,
    eventsUrl: `${options.target}/webhooks/slack/${options.tenant}`,
  });
  return { simulator, app, channel: simulator.channel({ id: 'C0SIM', apps: [app] }), team: slackTeam };
}

function instructions(options: StageOptions, telegramUrl: string, slackUrl: string | undefined, modelUrl: string | undefined): string {
  const start = [
    `export ROCKPOOL_TELEGRAM_API_URL=${telegramUrl}`,
    ...(slackUrl ? [`export ROCKPOOL_SLACK_API_URL=${slackUrl}/api`] : []),
    ...(modelUrl ? [`export OPENAI_BASE_URL=${modelUrl}/v1`, 'export OPENAI_API_KEY=simulated'] : []),
    'export ROCKPOOL_DATA_DIR=.rockpool-simulated',
    'npm start',
  ];
  const apply = [
    `export ROCKPOOL_DATA_DIR=.rockpool-simulated`,
    `export SIMULATED_BOT_TOKEN=${options.token}`,
    `export SIMULATED_SECRET=${options.secret}`,
    ...(slackUrl ? [`export SIMULATED_SLACK_TOKEN=${slackBotToken}`] : []),
    'npx rockpool apply simulated.yaml --yes',
  ];
  const tenant = [
    'tenants:',
    `  ${options.tenant}:`,
    ...(modelUrl ? ['    agent: { model: openai-compatible/simulated }'] : []),
    '    channels:',
    '      telegram: { botToken: "env://SIMULATED_BOT_TOKEN", webhookSecret: "env://SIMULATED_SECRET", dmPolicy: open }',
    ...(slackUrl
      ? [`      slack: { team: ${slackTeam}, botToken: "env://SIMULATED_SLACK_TOKEN", signingSecret: "env://SIMULATED_SECRET" }`]
      : []),
  ];
  const indented = (lines: readonly string[]): string => lines.map((line) => `    ${line}`).join('\n');
  return [
    '1. Start Rockpool, in a second terminal:',
    indented(start),
    '2. Write this to simulated.yaml:',
    indented(tenant),
    '3. Apply it, in a third terminal:',
    indented(apply),
  ].join('\n\n');
}
