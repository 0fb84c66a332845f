import type { Check } from '@rockpool/console';
import { parseConfig, redactedSummary, type PlatformConfig } from '@rockpool/service';
import type { DoctorOptions } from './doctor.js';
import { configEnvironment } from './environment.js';
import { endOf, exitCodes } from './exit-codes.js';
import { connect, exists, runningInstance } from './instance.js';
import { clockCheck, databaseCheck, dataFolderChecks, keyFileCheck, nodeCheck, portCheck } from './machine-checks.js';
import { color, print, printJson } from './output.js';

/** Looks at the machine first, then asks the installation about itself. */
export async function runDoctor(options: DoctorOptions): Promise<void> {
  const checks: Check[] = [nodeCheck()];
  const { config, configChecks } = configurationOf(options);
  checks.push(...configChecks);
  if (config) {
    const isEmbedded = config.ROCKPOOL_ENGINE === 'embedded';
    // Other engines have nothing on this machine that could be looked at.
    const dataExists = !isEmbedded || (await exists(config.ROCKPOOL_DATA_DIR));
    if (options.url === undefined && isEmbedded) checks.push(...(await machineChecks(config, dataExists)));
    if (options.network) checks.push(await clockCheck(config.ROCKPOOL_TELEGRAM_API_URL));
    const damaged = checks.some(({ name, state }) => name === 'database' && state === 'fail');
    // Before the first start, and of a damaged database, there is nothing to ask, and that has been said.
    if (options.url !== undefined || (dataExists && !damaged)) checks.push(...(await installationChecks(options, config)));
  }
  if (options.json) printJson(checks);
  else for (const check of checks) printCheck(check);
  if (checks.some(({ state }) => state === 'fail')) process.exitCode = exitCodes.problem;
}

function configurationOf(options: DoctorOptions): { config?: PlatformConfig; configChecks: Check[] } {
  const name = 'configuration';
  const given = options.dataDir === undefined ? {} : { ROCKPOOL_DATA_DIR: options.dataDir };
  const result = parseConfig({ ...configEnvironment, ...given });
  const warnings = result.warnings.map((detail): Check => ({ name, state: 'warn', detail, remedy: 'see docs/configuration.md' }));
  if ('config' in result)
    return { config: result.config, configChecks: [{ name, state: 'ok', detail: redactedSummary(result.config) }, ...warnings] };
  const problems = result.problems.map(({ variable, problem, remedy }): Check => ({
    name,
    state: 'fail',
    detail: `${variable} ${problem}`,
    remedy,
  }));
  return { configChecks: [...problems, ...warnings] };
}

async function machineChecks(config: PlatformConfig, dataExists: boolean): Promise<Check[]> {
  const running = await runningInstance(config.ROCKPOOL_DATA_DIR);
  return [
    ...(await dataFolderChecks(config)),
    // A running instance knows itself how its database is.
    ...(dataExists && !running ? [databaseCheck(config)] : []),
    await keyFileCheck(config, dataExists),
    await portCheck(config, running),
  ];
}

/** What the installation says of itself: the running instance, else the engine, opened for the moment. */
async function installationChecks(options: DoctorOptions, { ROCKPOOL_ENGINE: engine }: PlatformConfig): Promise<Check[]> {
  const name = 'installation';
  try {
    const connection = await connect(options);
    try {
      return await connection.controlPlane.checks({ network: options.network });
    } finally {
      await connection.close();
    }
  } catch (error) {
    const { message } = endOf(error);
    const remedy =
      engine === 'google'
        ? 'gcloud auth application-default login, with an account that has rights in GOOGLE_CLOUD_PROJECT; or name the console with --url'
        : 'npm start, or name the right one with --data-dir or --url';
    return [{ name, state: 'fail', detail: message ?? String(error), remedy }];
  }
}

const marks = { ok: ['green', '✓'], warn: ['yellow', '!'], fail: ['red', '✗'] } as const;

function printCheck({ name, state, detail, remedy }: Check): void {
  const [paint, mark] = marks[state];
  print(`${color(paint, mark)} ${name}: ${detail}`);
  if (remedy !== undefined) print(color('dim', `  → ${remedy}`));
}
