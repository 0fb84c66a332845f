import { readFile } from 'node:fs/promises';
import { digestOf, endpointsOf, type WebhookRegistration } from '@rockpool/console';
import type { TenantId } from '@rockpool/contracts';
import { parseTenantsFile, type FileProblem, type Plan, type SettingsProblem, type TenantsFile } from '@rockpool/tenancy';
import type { ApplyOptions } from './apply.js';
import { environment } from './environment.js';
import { CommandFailure, exitCodes } from './exit-codes.js';
import { readGivenSecrets } from './given-secrets.js';
import { addressOf, withInstance, type Connection } from './instance.js';
import { color, print, printJson, table } from './output.js';
import { hasChanges, planText } from './plan-text.js';

/** Addresses shown of so many tenants at most; `rockpool tenants show` has the others. */
const addressesShown = 20;

type Place = (path: readonly string[]) => { line: number; column: number };

/** Reads the file, shows what would change, asks, and applies. */
export async function runApply(fileName: string, options: ApplyOptions): Promise<void> {
  const text = await readFile(fileName, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CommandFailure(exitCodes.config, `${fileName} cannot be read (${error.code ?? 'unknown reason'}).`);
  });
  const parsed = parseTenantsFile(text);
  if ('problems' in parsed) return refuse(fileName, parsed.problems, options);
  const { file, at } = parsed;
  const given = await readGivenSecrets(file, fileName, environment);
  if (given.problems.length > 0) return refuse(fileName, placed(given.problems, at), options);

  await withInstance(
    options,
    async (connection) => {
      const { controlPlane } = connection;
      const request = { file, secrets: given.values };
      const plan = await controlPlane.plan(request);
      if (!options.json) showPlan(plan, fileName, at);
      if (plan.problems.length > 0) {
        if (options.json) printJson({ plan, applied: false });
        process.exitCode = exitCodes.problem;
        return;
      }
      const changes = hasChanges(plan);
      const go = !options.dryRun && (!changes || (await agreed(options)));
      if (go && changes) await controlPlane.apply(request, digestOf(plan));
      const webhooks = go && options.setWebhooks ? await controlPlane.registerWebhooks(connection.config.ROCKPOOL_PUBLIC_URL) : [];
      if (options.json) printJson({ plan, applied: go, ...(options.setWebhooks && { webhooks }) });
      else if (go) await report(connection, file, plan, webhooks);
      if (webhooks.some(({ problem }) => problem !== undefined)) process.exitCode = exitCodes.problem;
    },
    { create: true },
  );
}

function refuse(fileName: string, problems: readonly FileProblem[], { json }: ApplyOptions): void {
  if (json) printJson({ problems });
  else for (const problem of problems) process.stderr.write(`${lineOf(fileName, problem)}\n`);
  process.exitCode = exitCodes.config;
}

function showPlan(plan: Plan, fileName: string, at: Place): void {
  print(planText(plan));
  for (const warning of placed(plan.warnings, at)) print(color('yellow', `warning: ${lineOf(fileName, warning)}`));
  for (const problem of placed(plan.problems, at)) process.stderr.write(`${lineOf(fileName, problem)}\n`);
}

const placed = (problems: readonly SettingsProblem[], at: Place): FileProblem[] =>
  problems.map(({ path, message }) => ({ ...at(path), path: path.join('.'), message }));

const lineOf = (fileName: string, { line, column, path, message }: FileProblem): string =>
  `${fileName}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`;

async function agreed({ yes, json }: ApplyOptions): Promise<boolean> {
  if (yes || json || !process.stdin.isTTY || !process.stdout.isTTY) return true;
  const { confirm } = await import('@clack/prompts');
  return (await confirm({ message: 'Apply this?', initialValue: false })) === true;
}

async function report(
  connection: Connection,
  { tenants }: TenantsFile,
  plan: Plan,
  webhooks: readonly WebhookRegistration[],
): Promise<void> {
  print(hasChanges(plan) ? 'Applied.' : 'Nothing to do.');
  const base = addressOf(connection, connection.config.ROCKPOOL_PUBLIC_URL ?? (await connection.controlPlane.status()).publicUrl);
  const addresses = Object.entries(tenants)
    .slice(0, addressesShown)
    .flatMap(([id, spec]) => endpointsOf(id as TenantId, spec).map(({ channel, path }) => [id, channel, `${base}${path}`]));
  if (addresses.length > 0) print(`\n${table(['TENANT', 'CHANNEL', 'ADDRESS'], addresses)}`);
  if (!base.startsWith('https://') && addresses.some(([, channel]) => channel === 'telegram' || channel === 'slack')) {
    print(color('dim', 'Telegram and Slack deliver to an https address only: set ROCKPOOL_PUBLIC_URL to the one that leads here.'));
  }
  for (const { tenantId, url: address, problem } of webhooks) {
    const whose = tenantId ?? 'shared bot';
    print(problem === undefined ? `Telegram delivers ${whose} to ${address}` : color('red', `Telegram refused ${whose}: ${problem}`));
  }
}
