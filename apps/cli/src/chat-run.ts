import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { codeOf } from '@rockpool/contracts';
import { parseTenantId } from './arguments.js';
import { ChatClient } from './chat-client.js';
import { Conversation, type OpenConversation } from './chat-conversation.js';
import { Screen, terminalText } from './chat-screen.js';
import { ChatSession } from './chat-session.js';
import { talk } from './chat-talk.js';
import type { ChatOptions } from './chat.js';
import { CommandFailure, exitCodes } from './exit-codes.js';
import { configOf, runningInstance, urlOf, withInstance } from './instance.js';

/** A person sees that the connection is lost, and decides; a script is told after this long. */
const scriptPatienceMs = 60_000;

/** Runs `rockpool chat`: with a person where there is a terminal, else message by message. Rejects with what ended it. */
export async function chat(name: string, options: ChatOptions): Promise<void> {
  const tenant = parseTenantId(name);
  const { ROCKPOOL_DATA_DIR: dataDir, ROCKPOOL_ENGINE: engine } = await configOf(options);
  const isGoogle = engine === 'google';
  const url = urlOf(options) ?? (isGoogle ? undefined : (await runningInstance(dataDir))?.url);
  if (isGoogle && url === undefined) throw new CommandFailure(exitCodes.usage, 'Say where the ingress answers: --url');
  if (url === undefined) {
    throw new CommandFailure(
      exitCodes.unavailable,
      `No instance runs on ${dataDir}. Start it in another terminal (npm start), or name one: --url`,
    );
  }
  // The ingress alone makes no links; the engine, opened from here, does.
  const fromEngine = () => withInstance({}, ({ controlPlane }) => controlPlane.chatLink(tenant));
  const session = new ChatSession(dataDir, url, tenant, isGoogle ? fromEngine : undefined);
  const isTalk = options.say === undefined && !options.json && process.stdin.isTTY && process.stdout.isTTY;

  const open: OpenConversation = async (listener) => {
    const follow = (token: string) => Conversation.open(new ChatClient(url, tenant, token), listener, isTalk ? Infinity : scriptPatienceMs);
    if (options.new) return follow(await session.renew());
    try {
      return await follow(await session.token());
    } catch (error) {
      if (codeOf(error) !== 'unauthenticated') throw error;
      // The kept session was ended by an operator, or the tenant's chat has another key now.
      return follow(await session.renew());
    }
  };
  if (isTalk) return talk(open);
  return ask(open, options.say === undefined ? inputLines() : [options.say], options.json ?? false);
}

/** Begins to read when the first line is asked for; lines that came before would be lost. */
async function* inputLines(): AsyncGenerator<string> {
  yield* createInterface({ input: process.stdin });
}

/** One message after another, each answered before the next is sent. */
async function ask(open: OpenConversation, messages: AsyncIterable<string> | Iterable<string>, json: boolean): Promise<void> {
  const screen = process.stdout.isTTY && !json ? new Screen(process.stdout) : undefined;
  let askedId = '';
  const conversation = await open((event) => {
    if (event.type === 'lost') process.stderr.write('The connection is lost; trying again.\n');
    if (!screen) return;
    if (event.type === 'hello') screen.name = event.displayName;
    if (event.type === 'typing' && askedId !== '') screen.typing();
    if (event.type === 'feed') {
      for (const item of event.items) if (item.role === 'assistant' && item.messageId === askedId) screen.show(item);
    }
  });
  try {
    for await (const line of messages) {
      const text = line.trim();
      if (text === '') continue;
      const id = (askedId = randomUUID());
      await conversation.send(id, text);
      const answer = await conversation.answerTo(id);
      if (json) process.stdout.write(`${JSON.stringify({ id, question: text, answer: answer.text, at: answer.at })}\n`);
      else if (!screen) process.stdout.write(`${terminalText(answer.text)}\n`);
    }
  } finally {
    conversation.close();
  }
}
