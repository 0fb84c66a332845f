import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';

/**
 * Every environment variable the platform reads, checked before anything else starts. This is the only file that reads `process.env`; `.env.example` and
 * docs/configuration.md are made from it.
 */

/** What the documentation says of a variable besides its type and default. */
interface VariableMeta {
  description: string;
  /** The heading it stands under. */
  group: 'Service' | 'Storage' | 'Models' | 'Channels' | 'Limits' | 'Logs and traces' | 'Set by the platform';
  /** Never shown in the summary, the logs or a problem report. */
  secret?: true;
  example?: string;
  /** Words for a default that depends on the machine. */
  defaultText?: string;
}

const text = z.string();
const wholeNumber = (from: number, to: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, `has to be a whole number from ${from} to ${to}`)
    .transform(Number)
    .pipe(z.number().min(from, `has to be at least ${from}`).max(to, `has to be at most ${to}`));
const httpUrl = text.refine(isHttpUrl, 'has to be an http:// or https:// URL').transform(withoutTrailingSlash);
const publicUrl = httpUrl.refine(
  (url) => url.startsWith('https://') || isLoopback(new URL(url).hostname),
  'has to be an https:// URL, because channels deliver over TLS only (http:// is for 127.0.0.1 and localhost)',
);
const oneOf = <const Values extends readonly [string, ...string[]]>(...values: Values) =>
  z.enum(values, { error: `has to be ${values.join(' or ')}` });

function variable<Schema extends z.ZodType>(schema: Schema, meta: VariableMeta): Schema {
  return schema.meta({ ...meta });
}

export const platformConfig = z.object({
  PORT: variable(wholeNumber(0, 65535).prefault('8080'), { group: 'Service', description: 'TCP port to listen on; 0 takes any free one.' }),
  ROCKPOOL_HOST: variable(
    text.refine((host) => isIP(host) !== 0 || host === 'localhost', 'has to be an IP address of this machine, or localhost'),
    {
      group: 'Service',
      description: 'Address to listen on. 0.0.0.0 lets other machines reach it.',
      defaultText: '127.0.0.1; 0.0.0.0 on Cloud Run',
      example: '0.0.0.0',
    },
  ),
  ROCKPOOL_PUBLIC_URL: variable(publicUrl.optional(), {
    group: 'Service',
    description: 'The https URL under which channels reach this service; webhook URLs begin with it.',
    example: 'https://bots.example.com',
  }),
  ROCKPOOL_AGENT_HOST_URL: variable(httpUrl.optional(), {
    group: 'Service',
    description: 'Where the agent host answers, when it runs on its own. Without it, the agent host of this process is used.',
    example: 'http://127.0.0.1:8081',
  }),
  ROCKPOOL_SHUTDOWN_TIMEOUT_MS: variable(wholeNumber(100, 600_000).prefault('9000'), {
    group: 'Service',
    description: 'Time to finish what is being done after SIGTERM or Ctrl-C. Cloud Run kills after 10 s.',
  }),

  ROCKPOOL_ENGINE: variable(
    oneOf('embedded', 'google')
      .prefault('embedded')
      .refine((engine) => engine === 'embedded', {
        error: 'is "google", but this release ships the embedded engine only',
      }),
    { group: 'Storage', description: 'What keeps messages and documents. `embedded`: this process and the data folder, nothing else.' },
  ),
  ROCKPOOL_DATA_DIR: variable(
    text.prefault('./.rockpool').transform((folder) => resolve(folder)),
    {
      group: 'Storage',
      description: 'Folder that holds everything that is stored. One running instance at a time.',
    },
  ),
  ROCKPOOL_KEY_FILE: variable(
    text.transform((file) => resolve(file)),
    {
      group: 'Storage',
      description:
        'File with the key that encrypts stored secrets, made at first start. Outside the data folder, so that a copy of that folder alone opens nothing.',
      defaultText:
        '`~/.config/rockpool/<16 hex digits that stand for the data folder>.key` (`$XDG_CONFIG_HOME` in place of `~/.config` when set)',
      example: '/etc/rockpool/secrets.key',
    },
  ),

  ANTHROPIC_API_KEY: variable(text.optional(), {
    group: 'Models',
    secret: true,
    description: 'Key for Anthropic models.',
    example: 'sk-ant-…',
  }),
  OPENAI_API_KEY: variable(text.optional(), {
    group: 'Models',
    secret: true,
    description: 'Key for OpenAI models, or for the server at OPENAI_BASE_URL.',
    example: 'sk-…',
  }),
  GEMINI_API_KEY: variable(text.optional(), { group: 'Models', secret: true, description: 'Key for Google models.', example: 'AIza…' }),
  OPENAI_BASE_URL: variable(httpUrl.optional(), {
    group: 'Models',
    description: 'Base URL of any server that speaks OpenAI chat completions (Ollama, vLLM, a gateway).',
    example: 'http://127.0.0.1:11434/v1',
  }),
  ROCKPOOL_OPENAI_COMPATIBLE_MODEL: variable(text.optional(), {
    group: 'Models',
    description: 'Model that `auto` means at OPENAI_BASE_URL.',
    example: 'llama3.2',
  }),

  ROCKPOOL_TELEGRAM_API_URL: variable(httpUrl.prefault('https://api.telegram.org'), {
    group: 'Channels',
    description: 'Root of the Telegram Bot API; point it at a local Bot API server, a proxy or the simulator.',
  }),
  ROCKPOOL_SLACK_API_URL: variable(httpUrl.prefault('https://slack.com/api'), {
    group: 'Channels',
    description: 'Root of the Slack Web API; point it at a proxy or the simulator.',
  }),

  ROCKPOOL_LEASE_MS: variable(wholeNumber(1_000, 600_000).prefault('30000'), {
    group: 'Limits',
    description: 'How long a conversation stays claimed by a process that gives no sign of life.',
  }),
  ROCKPOOL_TURN_TIMEOUT_MS: variable(wholeNumber(1_000, 3_600_000).prefault('300000'), {
    group: 'Limits',
    description: 'Longest time one answer may take before it is given up with a message to the person.',
  }),

  ROCKPOOL_LOG_LEVEL: variable(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').prefault('info'), {
    group: 'Logs and traces',
    description: 'Least severe level that is written: trace, debug, info, warn, error, fatal or silent.',
  }),
  ROCKPOOL_LOG_FORMAT: variable(oneOf('json', 'pretty').optional(), {
    group: 'Logs and traces',
    description: '`json`: one object a line with the fields of Google Cloud Logging. `pretty`: short lines for people.',
    defaultText: 'pretty in a terminal, else json',
    example: 'json',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: variable(httpUrl.optional(), {
    group: 'Logs and traces',
    description: 'OTLP/HTTP collector that traces are sent to.',
    example: 'http://127.0.0.1:4318',
  }),
  OTEL_EXPORTER_OTLP_HEADERS: variable(
    text.regex(/^\s*[^=,\s]+\s*=[^,]*(?:,\s*[^=,\s]+\s*=[^,]*)*$/, 'has to be name=value pairs separated by commas').optional(),
    {
      group: 'Logs and traces',
      secret: true,
      description: 'Headers sent to the collector, values percent-encoded.',
      example: 'x-api-key=…',
    },
  ),
  OTEL_SERVICE_NAME: variable(text.optional(), {
    group: 'Logs and traces',
    description: 'Service name in traces.',
    defaultText: 'the name of the app',
    example: 'rockpool',
  }),

  K_SERVICE: variable(text.optional(), { group: 'Set by the platform', description: 'Set by Cloud Run: name of the service.' }),
  GOOGLE_CLOUD_PROJECT: variable(text.optional(), {
    group: 'Set by the platform',
    description: 'Google Cloud project; log lines then carry trace ids the way Cloud Logging links them.',
  }),
  XDG_CONFIG_HOME: variable(text.optional(), { group: 'Set by the platform', description: 'Folder of this user’s settings.' }),
});

/** Injection token of the {@link PlatformConfig}. */
export const CONFIG = Symbol('rockpool.config');

/** The checked configuration: numbers are numbers, paths absolute, URLs without trailing slash. */
export type PlatformConfig = z.output<typeof platformConfig>;
export type VariableName = keyof PlatformConfig;

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

/** Read where no configuration is parsed: by the fault injection of tests, and by commands that reach an instance from elsewhere. */
const readElsewhere = new Set(['ROCKPOOL_CRASH_AT', 'ROCKPOOL_ADMIN_TOKEN']);

/** Checks an environment. An empty value counts as unset. All problems are found at once; unknown `ROCKPOOL_*` names are warnings. */
export function parseConfig(environment: Environment): ConfigResult {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) if (value !== undefined && value.trim() !== '') given[name] = value.trim();
  const warnings = Object.keys(given)
    .filter((name) => name.startsWith('ROCKPOOL_') && !(name in platformConfig.shape) && !readElsewhere.has(name))
    .map(unknownVariable);

  const result = platformConfig.safeParse({ ...machineDefaults(given), ...given });
  if (result.success) return { config: result.data, warnings };
  return { problems: result.error.issues.map((issue) => problemOfIssue(issue, given)), warnings };
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

/** All names in the order they are documented. */
export const variableNames = Object.keys(platformConfig.shape) as VariableName[];

/** What is documented about a variable. */
export function metaOf(name: VariableName): VariableMeta {
  return platformConfig.shape[name].meta() as unknown as VariableMeta;
}

/** The default as one would type it; `undefined` when there is none or it depends on the machine. */
export function defaultOf(name: VariableName): string | undefined {
  let schema: z.core.$ZodType = platformConfig.shape[name];
  for (;;) {
    const { def } = schema._zod as unknown as { def: { type: string; in?: z.core.$ZodType; defaultValue?: unknown } };
    if (def.type === 'prefault') return String(def.defaultValue);
    if (def.type !== 'pipe' || !def.in) return undefined;
    schema = def.in;
  }
}

function machineDefaults(given: Environment): Record<string, string> {
  const dataFolder = resolve(given['ROCKPOOL_DATA_DIR'] ?? defaultOf('ROCKPOOL_DATA_DIR') ?? '.');
  const settings = given['XDG_CONFIG_HOME'] ?? join(homedir(), '.config');
  const keyName = createHash('sha256').update(dataFolder).digest('hex').slice(0, 16);
  return {
    ROCKPOOL_HOST: given['K_SERVICE'] ? '0.0.0.0' : '127.0.0.1',
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

function isHttpUrl(value: string): boolean {
  const url = URL.parse(value);
  return url !== null && (url.protocol === 'http:' || url.protocol === 'https:');
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function withoutTrailingSlash(url: string): string {
  return url.replace(/\/+$/, '');
}

function withoutUserInfo(value: string): string {
  return value.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1');
}

function withoutUndefined(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined));
}
