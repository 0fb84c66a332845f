import type { Command } from 'commander';
import { onInstance, type InstanceOptions } from './instance.js';

export interface ChatOptions extends InstanceOptions {
  readonly say?: string;
  readonly new?: boolean;
}

/** Adds `rockpool chat <tenant>`. */
export function registerChat(program: Command): void {
  const command = program
    .command('chat')
    .description(
      'Chat with a tenant in the terminal. Every message takes the whole way of the web chat: posted, put on the bus, answered by the agent host, read from the event stream. Without a terminal, each line of standard input is a message, and the next is sent when it is answered.',
    )
    .summary('chat with a tenant in the terminal')
    .argument('<tenant>', 'id of the tenant')
    .option('--say <text>', 'send this one message, print the answer and end')
    .option('--new', 'begin a new conversation, instead of going on with the last one')
    .action(async (tenant: string, options: ChatOptions) => {
      const { chat } = await import('./chat-run.js');
      await chat(tenant, options);
    });
  onInstance(command, [
    'rockpool chat demo',
    'rockpool chat demo --say "What time is it?"',
    'rockpool chat demo --new --json < questions.txt',
  ]);
}
