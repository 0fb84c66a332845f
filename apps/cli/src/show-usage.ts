import type { ControlPlane, UsageRecord } from '@rockpool/console';
import type { TenantId } from '@rockpool/contracts';
import { withInstance } from './instance.js';
import { color, print, printJson, table } from './output.js';
import type { UsageOptions } from './usage.js';

type Sums = Pick<UsageRecord, 'turns' | 'jobs' | 'inputTokens' | 'outputTokens' | 'jobTokens' | 'costUsd'>;

const heads = ['TURNS', 'JOBS', 'TOKENS IN', 'TOKENS OUT', 'OF JOBS', 'COST'];

/** Prints what a tenant used, day by day and by model; without one, the sums of every tenant over those days. */
export async function showUsage(tenant: TenantId | undefined, { days, json, ...options }: UsageOptions): Promise<void> {
  await withInstance({ ...options, ...(json !== undefined && { json }) }, async ({ controlPlane }) => {
    if (tenant === undefined) return showAll(controlPlane, days, json);
    const records = await controlPlane.usage(tenant, days);
    if (json) return printJson(records);
    if (records.length === 0) return print('Nothing was used yet. Usage is summed up each hour.');
    print(table(['DAY', ...heads], [...records.map((record) => [record.day, ...cells(record)]), ['all', ...cells(sumOf(records))]]));
    const models = [...new Set(records.flatMap((record) => Object.keys(record.models)))].sort();
    const rows = models.map((model) => {
      const used = records.flatMap((record) => record.models[model] ?? []);
      const sum = (of: 'turns' | 'inputTokens' | 'outputTokens' | 'costUsd') => used.reduce((total, one) => total + one[of], 0);
      return [model, String(sum('turns')), String(sum('inputTokens')), String(sum('outputTokens')), money(sum('costUsd'))];
    });
    if (rows.length > 0) print(`\n${table(['MODEL', 'TURNS', 'TOKENS IN', 'TOKENS OUT', 'COST'], rows)}`);
  });
}

async function showAll(controlPlane: ControlPlane, days: number, json: boolean | undefined): Promise<void> {
  const sums: ({ tenant: TenantId } & Sums)[] = [];
  for (const { id } of await controlPlane.tenants()) sums.push({ tenant: id, ...sumOf(await controlPlane.usage(id, days)) });
  if (json) return printJson(sums);
  const rows = sums.map(({ tenant, ...sum }) => [tenant, ...cells(sum)]);
  print(table(['TENANT', ...heads], [...rows, ['all', ...cells(sumOf(sums))]]));
  print(color('dim', `The latest ${days} days on which each used anything. Usage is summed up each hour.`));
}

function sumOf(records: readonly Sums[]): Sums {
  const sum = (of: keyof Sums) => records.reduce((total, record) => total + record[of], 0);
  return {
    turns: sum('turns'),
    jobs: sum('jobs'),
    inputTokens: sum('inputTokens'),
    outputTokens: sum('outputTokens'),
    jobTokens: sum('jobTokens'),
    costUsd: sum('costUsd'),
  };
}

function cells({ turns, jobs, inputTokens, outputTokens, jobTokens, costUsd }: Sums): string[] {
  return [...[turns, jobs, inputTokens, outputTokens, jobTokens].map(String), money(costUsd)];
}

function money(usd: number): string {
  return `$${usd.toFixed(usd > 0 && usd < 0.1 ? 4 : 2)}`;
}
