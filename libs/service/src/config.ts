import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { defaultOf, isPrivate, metaOf, platformConfig, variableNames, type PlatformConfig, type VariableName } from './variables.js';

export { defaultOf, metaOf, platformConfig, variableNames, type PlatformConfig, type VariableName } from './variables.js';

/** The environment is checked before anything else starts. This is the only file that reads `process.env`. */

/** Injection token of the {@link PlatformConfig}. */
export const CONFIG = Symbol('rockpool.config');

/** One thing that is wrong with the environment, in words for the person who has to set it right. Secret values are never in it. */
export interface ConfigProblem {
  readonly variable: VariableName;
  readonly problem: string;
  readonly remedy: string;
}

export type ConfigResult =
  | { readonly config: PlatformConfig; readonly warnings: readonly string[] }
  | { readonly problems: readonly ConfigProblem[]; readonly warnings: readonly string[] };

type Environment = Readonly<Record<string, string | undefined>>;

/** Read where no configuration is parsed: by the fault injection of tests. */
const readElsewhere = new Set(['ROCKPOOL_CRASH_AT']);

/** Checks an environment. An empty value counts as unset. All problems are found at once; unknown `ROCKPOOL_*` names are warnings. */
export function parseConfig(environment: Environment): ConfigResult {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) if (value !== undefined && value.trim() !== '') given[name] = value.trim();
  const warnings = Object.keys(given)
    .filter((name) => name.startsWith('ROCKPOOL_') && !(name in platformConfig.shape) && !readElsewhere.has(name))
    .map(unknownVariable);

  const result = platformConfig.safeParse({ ...machineDefaults(given), ...given });
  const together = problemsTogether(given);
  if (result.success && together.length === 0) return { config: result.data, warnings };
  return { problems: [...(result.error?.issues ?? []).map((issue) => problemOfIssue(issue, given)), ...together], warnings };
}

const emulators = variableNames.filter((name) => metaOf(name).group === 'Emulators');

/** What is wrong with variables that are each right. */
function problemsTogether(given: Environment): ConfigProblem[] {
  if (given['ROCKPOOL_ENGINE'] !== 'google') return [];
  const problems: ConfigProblem[] = [];
  const add = (variable: VariableName, problem: string, remedy: string) => problems.push({ variable, problem, remedy });
  if (given['GOOGLE_CLOUD_PROJECT'] === undefined) {
    add(
      'GOOGLE_CLOUD_PROJECT',
      'is missing, but the google engine has to know its project',
      'Set GOOGLE_CLOUD_PROJECT=my-project, or leave ROCKPOOL_ENGINE out for the embedded engine.',
    );
  }
  for (const name of given['K_SERVICE'] === undefined ? [] : emulators) {
    if (given[name] !== undefined) add(name, 'is for emulators, but this is Cloud Run', 'Leave it out: the real service is used then.');
  }
  for (const name of ['ROCKPOOL_AGENT_HOST_URL', 'ROCKPOOL_DISPATCHER_URL', 'ROCKPOOL_SCHEDULER_URL'] as const) {
    const url = URL.parse(given[name] ?? '');
    if (url?.protocol === 'http:' && (given['K_SERVICE'] !== undefined || !isPrivate(url.hostname)))
      add(name, 'is not https://, but tokens are sent there', `Set ${name} to the https:// URL of that service.`);
  }
  return problems;
}

/**
 * The configuration of this process, or its end: problems are listed on stderr and the process exits with 78 (EX_CONFIG). `overrides` are what the command line
 * says; they win over the environment.
 */
export function loadConfig(environment: Environment = process.env, overrides: Environment = {}): PlatformConfig {
  const result = parseConfig({ ...environment, ...withoutUndefined(overrides) });
  for (const warning of result.warnings) process.stderr.write(`warning: ${warning}\n`);
  if ('config' in result) return result.config;
  process.stderr.write(problemReport(result.problems));
  process.exit(78);
}

/** What {@link loadConfig} prints before it exits. */
export function problemReport(problems: readonly ConfigProblem[]): string {
  const lines = problems.map(({ variable, problem, remedy }) => `  ${variable} ${problem}.\n    ${remedy}\n`);
  return `Rockpool cannot start: ${problems.length === 1 ? 'one setting is' : `${problems.length} settings are`} wrong.\n${lines.join('')}`;
}

/** One line that says what this process runs with: what differs from the default, and which secrets are set, never their values. */
export function redactedSummary(config: PlatformConfig): string {
  const result = parseConfig({});
  const defaults: Partial<PlatformConfig> = 'config' in result ? result.config : {};
  const always: readonly VariableName[] = ['PORT', 'ROCKPOOL_HOST', 'ROCKPOOL_ENGINE', 'ROCKPOOL_DATA_DIR'];
  return variableNames
    .filter((name) => config[name] !== undefined && (always.includes(name) || config[name] !== defaults[name]))
    .map((name) => `${name}=${metaOf(name).secret ? '[set]' : withoutUserInfo(String(config[name]))}`)
    .join(' ');
}

function machineDefaults(given: Environment): Record<string, string> {
  const dataFolder = resolve(given['ROCKPOOL_DATA_DIR'] ?? defaultOf('ROCKPOOL_DATA_DIR') ?? '.');
  const settings = given['XDG_CONFIG_HOME'] ?? join(homedir(), '.config');
  const keyName = createHash('sha256').update(dataFolder).digest('hex').slice(0, 16);
  return {
    ROCKPOOL_HOST: given['K_SERVICE'] ? '0.0.0.0' : '127.0.0.1',
    ROCKPOOL_SUPERVISED: String(given['K_SERVICE'] !== undefined),
    ...(given['ROCKPOOL_ENGINE'] !== 'google' && { ROCKPOOL_SPOOL_DIR: join(dataFolder, 'spool') }),
    ...(given['GOOGLE_CLOUD_PROJECT'] !== undefined && { ROCKPOOL_BUCKET: `${given['GOOGLE_CLOUD_PROJECT']}-rockpool` }),
    ROCKPOOL_BUS_DELIVERY: given['K_SERVICE'] ? 'push' : 'pull',
    ROCKPOOL_CREATE_TOPOLOGY: String(given['PUBSUB_EMULATOR_HOST'] !== undefined),
    ROCKPOOL_KEY_FILE: join(settings, 'rockpool', `${keyName}.key`),
  };
}

function problemOfIssue(issue: z.core.$ZodIssue, given: Environment): ConfigProblem {
  const variable = issue.path[0] as VariableName;
  const { secret, example, defaultText } = metaOf(variable);
  const value = given[variable];
  const seen = value === undefined || secret || issue.message.startsWith('is ') ? '' : `is "${withoutUserInfo(value)}", but `;
  const fallback = defaultOf(variable) ?? defaultText;
  const sample = example ?? fallback;
  const remedy = [sample && `Set ${variable}=${sample}`, `leave it out${fallback ? ` for the default (${fallback})` : ''}.`];
  return { variable, problem: `${seen}${issue.message}`, remedy: remedy.filter(Boolean).join(', or ') };
}

function unknownVariable(name: string): string {
  const nearest = variableNames
    .map((known) => ({ known, distance: editDistance(name, known) }))
    .reduce((best, candidate) => (candidate.distance < best.distance ? candidate : best));
  return `${name} is no setting of Rockpool and is ignored.${nearest.distance <= 4 ? ` Did you mean ${nearest.known}?` : ''}`;
}

/** Levenshtein distance. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const substitution = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}

function withoutUserInfo(value: string): string {
  return value.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1');
}

function withoutUndefined(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined));
}
