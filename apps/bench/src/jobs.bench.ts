import type { ModelRequest, ToolCall } from '@rockpool/testkit';
import { quantile, rounded, type Figure } from './figures.js';
import { Appearances, openInstallation, tell, tellAll, usualBots, type Installation } from './installation.js';

/** Rounds of a model call and a tool; a turn has room for no more. */
const rounds = 9;
const single = 30;
const width = 16;
const patienceMs = 600_000;

/**
 * What a step of a job costs beside the same work in a turn, and many jobs of many tenants at once: how fast they are, how evenly, and what a tenant's crowd does to the one job of
 * everybody else.
 */
export async function measureJobs(count: number): Promise<Figure[]> {
  const bench = await openInstallation(usualBots, 'plan: pro, ');
  const asked = new Map<string, number[]>();
  script(bench, asked);
  const ended = new Appearances(bench.telegram, /ended \w+/);
  const roundMs = (name: string) => {
    const at = asked.get(name)!;
    return (at.at(-1)! - at[1]!) / (at.length - 2);
  };
  const begunAt = new Map<string, number>();
  async function begin(tenant: number, kind: 'turn' | 'job' | 'wait', name: string): Promise<void> {
    begunAt.set(name, Date.now());
    await tell(bench, tenant, `${kind} ${name}`);
  }
  const tookMs = (name: string) => ended.at.get(`ended ${name}`)! - begunAt.get(name)!;
  try {
    for (let n = 0; n < 2 * single; n++) {
      const kind = n % 2 ? 'job' : 'turn';
      await begin(n % usualBots, kind, `${kind}${n}`);
      await ended.until(n + 1, patienceMs);
    }
    const roundOf = (kind: string) => quantile([...asked.keys()].filter((name) => name.startsWith(kind)).map(roundMs), 0.5);
    const [inTurn, inJob] = [roundOf('turn'), roundOf('job')];

    const cpuBefore = await bench.product.cpuMs();
    const began = Date.now();
    await tellAll(count, width, (n) => begin(n % usualBots, 'wait', `many${n}`));
    await ended.until(2 * single + count, patienceMs);
    const allMs = Date.now() - began;
    const cpuMs = (await bench.product.cpuMs()) - cpuBefore;
    const means = Array.from({ length: usualBots }, (_, tenant) => {
      const own = Array.from({ length: count }, (__, n) => n).filter((n) => n % usualBots === tenant);
      return own.reduce((sum, n) => sum + tookMs(`many${n}`), 0) / own.length;
    });
    const steps = count * (2 * rounds + 2);

    const others = usualBots - 1;
    let sum = 2 * single + count;
    await tellAll(others, width, (n) => begin(n + 1, 'wait', `alone${n}`));
    await ended.until((sum += others), patienceMs);
    await tellAll(count / 2, width, (n) => begin(0, 'wait', `crowd${n}`));
    await tellAll(others, width, (n) => begin(n + 1, 'wait', `beside${n}`));
    await ended.until(sum + count / 2 + others, patienceMs);
    const p95 = (name: string) =>
      quantile(
        Array.from({ length: others }, (_, n) => tookMs(`${name}${n}`)),
        0.95,
      );
    return [
      { name: 'a round of model and tool in a turn, p50', value: rounded(inTurn), unit: 'ms' },
      { name: 'the same as two steps of a job, p50', value: rounded(inJob), unit: 'ms' },
      { name: 'job / turn', value: Math.round((inJob / inTurn) * 100) / 100, unit: '×' },
      { name: `${count} jobs of ${usualBots} tenants, from the first message to the last result`, value: rounded(allMs / 1000), unit: 's' },
      { name: 'steps of jobs meanwhile', value: Math.round(steps / (allMs / 1000)), unit: 'steps/s' },
      { name: 'processor time a step, turns and results included', value: rounded(cpuMs / steps), unit: 'ms' },
      {
        name: 'Jain index of the tenants’ mean times',
        value: Math.round(jain(means) * 100) / 100,
        unit: '',
        target: { at: 'least', value: 0.95 },
      },
      { name: `one job each of ${others} tenants, p95`, value: Math.round(p95('alone')), unit: 'ms' },
      { name: `the same beside ${count / 2} jobs of another tenant, p95`, value: Math.round(p95('beside')), unit: 'ms' },
      { name: 'all of that tenant’s', value: Math.round(Math.max(...crowdTimes(count / 2, tookMs))), unit: 'ms' },
    ];
  } finally {
    await bench.close();
  }
}

/** The model answers at once: nine calls of a tool, in a turn or in a job, and in some jobs a wait in the midst of them. */
function script({ model }: Installation, asked: Map<string, number[]>): void {
  const known = /^(turn|job|wait) (\w+)$/;
  const time: ToolCall = { name: 'current_time', arguments: {} };
  const callOf = ({ lastUserText, toolRounds }: ModelRequest): ToolCall | undefined => {
    const [, kind] = known.exec(lastUserText)!;
    if (kind === 'turn') return toolRounds < rounds ? time : undefined;
    if (toolRounds === 0) return { name: 'start_job', arguments: { title: 'work' } };
    if (toolRounds > rounds) return undefined;
    return kind === 'wait' && toolRounds === 5 ? { name: 'wait', arguments: { minutes: 0.5 / 60 } } : time;
  };
  model
    .when((request) => {
      const name = known.exec(request.lastUserText)?.[2];
      if (name !== undefined) asked.set(name, [...(asked.get(name) ?? []), performance.now()]);
      return name !== undefined;
    })
    .reply({
      text: (request) => (callOf(request) ? '' : `ended ${known.exec(request.lastUserText)![2]}`),
      toolCalls: (request) => [callOf(request)].filter((one) => one !== undefined),
    });
}

function crowdTimes(count: number, tookMs: (name: string) => number): number[] {
  return Array.from({ length: count }, (_, n) => tookMs(`crowd${n}`));
}

function jain(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  return sum ** 2 / (values.length * values.reduce((total, value) => total + value ** 2, 0));
}
