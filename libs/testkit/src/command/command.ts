import { Command, InvalidArgumentError } from 'commander';
import { settledAnswer } from './answer.js';
import { Prompt } from './prompt.js';
import { openStage, type Stage } from './stage.js';

/** Where the command reads and writes. */
export interface CommandIo {
  readonly input: NodeJS.ReadableStream;
  readonly output: (text: string) => void;
  readonly error: (text: string) => void;
}

interface Options {
  readonly telegramPort: number;
  readonly slackPort?: number;
  readonly modelPort?: number;
  readonly target: string;
  readonly tenant: string;
  readonly token: string;
  readonly secret: string;
  readonly person: number;
  readonly limits: boolean;
  readonly say?: string;
  readonly timeout: number;
  readonly json?: boolean;
}

/**
 * `npm run simulate`: Telegram, and if asked for Slack and a model, on this machine, with oneself as the person. Resolves with the exit code: 0, or 1 when
 * no answer came in time.
 */
export async function simulate(argv: readonly string[], io: CommandIo): Promise<number> {
  let code = 0;
  const program = new Command('simulate')
    .description('Play the person on a simulated Telegram (and Slack): messages go to Rockpool as webhooks, what its bot sends is shown.')
    .option('--telegram-port <port>', 'port of the Bot API', port, 8081)
    .option('--slack-port <port>', 'simulate Slack too, its API on this port', port)
    .option('--model-port <port>', 'simulate a model too, on this port: it repeats what it is told', port)
    .option('--target <url>', 'where Rockpool listens', withoutSlash, 'http://127.0.0.1:8080')
    .option('--tenant <id>', 'tenant whose bot it is', 'simulated')
    .option('--token <token>', 'token of the bot', '1000001:simulated-bot-token')
    .option('--secret <secret>', 'secret of the webhooks', 'simulated-webhook-secret')
    .option('--person <id>', 'Telegram id of the person you play', wholeNumber, 12345)
    .option('--no-limits', 'do not keep the rate limits of the real services')
    .option('--say <text>', 'send this, print the answer and end; exit code 1 when none comes in time')
    .option('--timeout <seconds>', 'how long --say waits', wholeNumber, 60)
    .option('--json', 'with --say: print the answer as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  npm run simulate\n  npm run simulate -- --slack-port 8082 --model-port 8083\n  npm run simulate -- --say "hi" --json',
    )
    .configureOutput({ writeOut: io.output, writeErr: io.error })
    .action(async (options: Options) => {
      const stage = await openStage(options).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EADDRINUSE') throw error;
        io.error(`${error.message}: choose another port.\n`);
        code = 1;
      });
      if (!stage) return;
      try {
        code = options.say === undefined ? await play(stage, options, io) : await ask(stage, options, options.say, io);
      } finally {
        await stage.close();
      }
    });
  await program.parseAsync([...argv], { from: 'user' });
  return code;
}

async function play(stage: Stage, options: Options, io: CommandIo): Promise<number> {
  io.output(`The simulated Telegram listens at ${stage.telegram.url}.\n\n${stage.instructions}\n\n`);
  await new Prompt(stage, (line) => io.output(`${line}\n`), options.person).run(io.input);
  return 0;
}

async function ask(stage: Stage, options: Options, text: string, io: CommandIo): Promise<number> {
  const chat = stage.telegram.person({ id: options.person, name: 'Person' }).chat(stage.bot);
  const begin = performance.now();
  const said = chat.say(text);
  const answers = await settledAnswer(chat, said.messageId, options.timeout * 1000);
  const attempts = said.deliveries.flatMap((delivery) => delivery.attempts);
  if (!answers) {
    const last = attempts.at(-1);
    const accepted = said.deliveries.some(({ state }) => state === 'accepted');
    const reason = accepted
      ? 'the webhook was accepted'
      : `the webhook was not accepted (${last?.status ?? last?.failure ?? 'no attempt ended'})`;
    if (options.json) io.output(`${JSON.stringify({ answered: false, reason, attempts: attempts.length })}\n`);
    io.error(`No answer within ${options.timeout} s: ${reason}.\n`);
    return 1;
  }
  const answer = answers.map((message) => message.text).join('\n');
  const milliseconds = Math.round(performance.now() - begin);
  const edits = answers.reduce((sum, message) => sum + message.revisions.length - 1, 0);
  io.output(
    options.json ? `${JSON.stringify({ answered: true, text: answer, messages: answers.length, edits, milliseconds })}\n` : `${answer}\n`,
  );
  return 0;
}

function port(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0 || number > 65_535) throw new InvalidArgumentError('a port is a number up to 65535.');
  return number;
}

function wholeNumber(value: string): number {
  if (!/^[1-9]\d*$/.test(value)) throw new InvalidArgumentError('it must be a whole number above 0.');
  return Number(value);
}

function withoutSlash(value: string): string {
  if (!URL.canParse(value)) throw new InvalidArgumentError('it must be a URL.');
  return value.replace(/\/+$/, '');
}
