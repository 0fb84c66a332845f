import type { Command } from 'commander';

/** `rockpool start`: every app in this process. */
export function registerStart(program: Command): void {
  program
    .command('start')
    .description('start everything in this process: one port, one data folder')
    .option('--json', 'print one JSON line with the addresses once it is ready')
    .addHelpText(
      'after',
      `
Configuration comes from the environment (docs/configuration.md). The most wanted:
  PORT                 port to listen on (8080)
  ROCKPOOL_DATA_DIR    where everything is kept (./.rockpool)
  ROCKPOOL_PUBLIC_URL  the https URL under which Telegram and Slack reach this machine
  ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY or OPENAI_BASE_URL
                       a model; without one, a labelled demo model answers

Ctrl-C ends it within seconds; what it was doing goes on at the next start.`,
    )
    .action(async (options: { json?: boolean }) => {
      const { runStart } = await import('./run-start.js');
      await runStart({ json: options.json ?? false });
    });
}
