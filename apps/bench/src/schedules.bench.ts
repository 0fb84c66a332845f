import { quantile, rounded, type Figure } from './figures.js';
import { Appearances, openInstallation, tell, tellAll, usualBots } from './installation.js';

const width = 16;
/** From one message to the time of the first reminder; and a moment of rest before it. */
const messagesPerSecond = 20;
const restSeconds = 10;
const patienceMs = 60_000;

/** How late reminders come that people planned, from the time that each is planned for to the model and to the channel: one each second, then several each second, and then as many at one moment. */
export async function measureSchedules(count: number, seconds: number): Promise<Figure[]> {
  const bench = await openInstallation(usualBots);
  const { model, telegram } = bench;
  const saidAt = new Map<string, number>();
  model
    .when(({ lastUserText }) => {
      const [due] = /\bdue r\d+/.exec(lastUserText) ?? [];
      if (due !== undefined && !saidAt.has(due)) saidAt.set(due, Date.now());
      return due !== undefined;
    })
    .reply({ text: ({ lastUserText }) => `${lastUserText}.` });
  model.when('remind').reply(
    {
      toolCalls: ({ lastUserText }) => {
        const [, name, at] = /remind (r\d+) (\S+)/.exec(lastUserText)!;
        return [{ name: 'schedule', arguments: { title: name, prompt: `due ${name}`, at } }];
      },
    },
    { text: ({ lastUserText }) => `planned ${lastUserText}` },
  );
  let named = 0;

  /** Plans them all, waits until all have come, and resolves with what each took. */
  async function measure(count: number, atOf: (n: number, first: number) => number): Promise<{ toModel: number[]; toChannel: number[] }> {
    const first = (Math.ceil(Date.now() / 1000) + Math.ceil(count / messagesPerSecond) + restSeconds) * 1000;
    const dueAt = new Map<string, number>();
    const planned = new Appearances(telegram, /planned remind r\d+/);
    const come = new Appearances(telegram, /due r\d+/);
    const before = named;
    await tellAll(count, width, async (n) => {
      const name = `r${named++}`;
      const at = atOf(n, first);
      dueAt.set(`due ${name}`, at);
      await tell(bench, n % usualBots, `remind ${name} ${new Date(at).toISOString().replace('.000', '')}`);
    });
    await planned.until(before + count, patienceMs);
    if (Date.now() >= first) throw new Error('it took too long to plan them: the first was due before the last was planned');
    await come.until(before + count, Math.max(...dueAt.values()) - Date.now() + patienceMs);
    const late = (seen: ReadonlyMap<string, number>) => [...dueAt].map(([name, at]) => seen.get(name)! - at);
    return { toModel: late(saidAt), toChannel: late(come.at) };
  }

  try {
    const alone = await measure(seconds, (n, first) => first + n * 1000);
    const spread = await measure(count, (n, first) => first + (n % seconds) * 1000);
    const together = await measure(count, (_n, first) => first);
    const early = [...alone.toModel, ...spread.toModel, ...together.toModel].filter((ms) => ms < 0).length;
    const rate = Math.round(count / seconds);
    return [
      { name: 'time of a reminder to the model asked, one each second, p50', value: rounded(quantile(alone.toModel, 0.5)), unit: 'ms' },
      {
        name: 'time of a reminder to the channel, one each second, p50',
        value: rounded(quantile(alone.toChannel, 0.5)),
        unit: 'ms',
        target: { at: 'most', value: 50 },
      },
      { name: `time of a reminder to the channel, ${rate} each second, p50`, value: rounded(quantile(spread.toChannel, 0.5)), unit: 'ms' },
      {
        name: `time of a reminder to the channel, ${rate} each second, p99`,
        value: rounded(quantile(spread.toChannel, 0.99)),
        unit: 'ms',
        target: { at: 'most', value: 500 },
      },
      { name: `${count} reminders of one moment to the channel, p50`, value: rounded(quantile(together.toChannel, 0.5)), unit: 'ms' },
      { name: `${count} reminders of one moment to the channel, the last`, value: Math.round(Math.max(...together.toChannel)), unit: 'ms' },
      { name: 'reminders that came early', value: early, unit: 'of all', target: { at: 'most', value: 0 } },
    ];
  } finally {
    await bench.close();
  }
}
