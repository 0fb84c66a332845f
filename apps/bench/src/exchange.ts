import { telegramUpdate, type TelegramBot, type TelegramSimulator } from '@rockpool/testkit';
import { postWebhook } from './webhook-post.js';

/** Secret of the webhooks of every tenant that is measured. */
export const webhookSecret = 'bench-secret';

/** An installation whose tenants are `t0`, `t1` … with these bots. */
export interface Conversing {
  readonly url: string;
  readonly telegram: TelegramSimulator;
  readonly bots: readonly TelegramBot[];
}

export interface Timing {
  readonly firstSignMs: number;
  readonly answerMs: number;
}

let next = 1;

/** Posts one message of a new person and resolves with what the simulated Telegram saw, and when. Times count from the moment the webhook is sent. */
export async function exchange({ url, telegram, bots }: Conversing): Promise<Timing> {
  const n = next++;
  const index = n % bots.length;
  const chat = telegram.person({ id: 1_000_000 + n, name: `P${n}` }).chat(bots[index]!);
  const { headers, body } = telegramUpdate({ updateId: n, fromId: 1_000_000 + n, secret: webhookSecret, text: `message ${n}` });
  const began = performance.now();
  const sign = Promise.withResolvers<number>();
  const answer = Promise.withResolvers<number>();
  const stop = chat.listen(() => {
    sign.resolve(performance.now() - began);
    if (chat.visible().some((message) => message.from === 'bot' && message.text.includes(`message ${n}`)))
      answer.resolve(performance.now() - began);
  });
  const status = await postWebhook(`${url}/webhooks/telegram/t${index}`, headers, body);
  if (status !== 200) throw new Error(`webhook ${n} got ${status}`);
  const timing = { firstSignMs: await sign.promise, answerMs: await answer.promise };
  stop();
  return timing;
}
