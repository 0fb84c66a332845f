import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { eventually, type TelegramBot } from '@rockpool/testkit';
import { onGoogle } from './engines.js';
import { aliceBotToken, aliceSecret, Installation } from './installation.js';

/** A host as Firestore has it. */
interface StoredHost {
  readonly name: string;
  readonly fields: { readonly data: { readonly mapValue: { readonly fields: Readonly<Record<string, object>> } } };
}

onGoogle('an agent host that is asked to end', 'pull-strict', () => {
  let rockpool: Installation;
  let bot: TelegramBot;
  beforeAll(async () => {
    rockpool = await Installation.open({ engine: 'google', delivery: 'pull-strict', settings: { ROCKPOOL_SUPERVISED: 'true' } });
    bot = rockpool.telegram.bot({ token: aliceBotToken, webhook: { url: `${rockpool.url}/webhooks/telegram/alice`, secret: aliceSecret } });
  });
  afterAll(() => rockpool.close());

  /** Firestore over its own API: what the watchdog writes, by somebody who shares no code with it. */
  async function firestore(path: string, init: RequestInit = {}): Promise<unknown> {
    const { environment, projectId } = rockpool.stack!;
    const base = `http://${environment['FIRESTORE_EMULATOR_HOST']}/v1/projects/${projectId}/databases/(default)/documents`;
    const headers = { authorization: 'Bearer owner', 'content-type': 'application/json' };
    const response = await fetch(`${base}/${path}`, { ...init, headers });
    expect(response.status).toBe(200);
    return response.json();
  }
  const hosts = async () => ((await firestore('hosts')) as { documents?: StoredHost[] }).documents ?? [];
  const hostsAtWork = async () =>
    (await hosts()).filter((host) =>
      JSON.stringify(host.fields.data.mapValue.fields['work']).includes('"conversations":{"integerValue":"1"}'),
    );

  it('gives back what it is at, takes its sign of life back, ends with 0, and serves again once it was started anew', async () => {
    rockpool.model
      .when(() => true)
      .reply({ fail: 'hang' })
      .times(1);
    const chat = rockpool.telegram.person({ id: 800, name: 'Ann' }).chat(bot);
    chat.say('first');
    const { name } = await eventually('a host is at work', async () => (await hostsAtWork())[0]);
    const id = name.split('/').at(-1)!;
    await firestore(`hosts/${id}?updateMask.fieldPaths=data.drainAskedAt`, {
      method: 'PATCH',
      body: JSON.stringify({ fields: { data: { mapValue: { fields: { drainAskedAt: { integerValue: String(Date.now()) } } } } } }),
    });
    const { copies } = rockpool.stack!.apps['agent-host'];
    const ended = await Promise.race(copies.map(async (copy) => ({ copy, exit: await copy.exited })));
    expect(ended.exit).toMatchObject({ code: 0 });
    await chat.waitForAnswer(({ text }) => text.includes('You said: first'));
    expect((await hosts()).filter((host) => host.name === name)).toEqual([]);
    await ended.copy.start();
    chat.say('second');
    await chat.waitForAnswer(({ text }) => text.includes('second'));
    expect(chat.visible().filter(({ text }) => text.includes('You said: first'))).toHaveLength(1);
  });
});
