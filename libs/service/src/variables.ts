import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';

/** The environment variables of the platform, each with its rule and its words for the documentation. `.env.example` and docs/configuration.md are made from this. */

/** What the documentation says of a variable besides its type and default. */
export interface VariableMeta {
  description: string;
  /** The heading it stands under. */
  group:
    'Service' | 'Storage' | 'Google Cloud' | 'Emulators' | 'Models' | 'Channels' | 'Limits' | 'Logs and traces' | 'Set by the platform';
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
/** Where something answers without TLS: a secret of nobody must travel there but over this machine or a network of its own. */
const plainEndpoint = text.refine((value) => {
  const url = /^[a-z0-9.-]+:\d{1,5}$|^\[[0-9a-f:]+\]:\d{1,5}$/i.test(value) ? URL.parse(`http://${value}`) : null;
  return url !== null && isPrivate(url.hostname);
}, 'has to be host:port on this machine or in a private network');
const plainUrl = text
  .transform((value) => (/^https?:\/\//.test(value) ? value : `http://${value}`))
  .refine((value) => isHttpUrl(value) && isPrivate(new URL(value).hostname), 'has to be a URL on this machine or in a private network')
  .transform(withoutTrailingSlash);
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
    description:
      'Where the agent host answers, when it runs on its own. Without it, the agent host of this process is used. With the google engine also the audience of the tokens it accepts.',
    example: 'http://127.0.0.1:8081',
  }),
  ROCKPOOL_DISPATCHER_URL: variable(httpUrl.optional(), {
    group: 'Service',
    description: 'Where the dispatcher answers, when it runs on its own: the audience of the tokens that Pub/Sub pushes with.',
    example: 'http://127.0.0.1:8082',
  }),
  ROCKPOOL_SCHEDULER_URL: variable(httpUrl.optional(), {
    group: 'Service',
    description: 'Where the scheduler answers, when it runs on its own: the audience of the tokens it accepts.',
    example: 'http://127.0.0.1:8083',
  }),
  ROCKPOOL_ADMIN_TOKEN: variable(text.min(32, 'has to have at least 32 characters').optional(), {
    group: 'Service',
    secret: true,
    description:
      'Bearer token of the operators. The console needs it with the google engine; the embedded one makes its own, `admin-token` in the data folder. The command line shows it to the instance at `--url`.',
  }),
  ROCKPOOL_SHUTDOWN_TIMEOUT_MS: variable(wholeNumber(100, 600_000).prefault('9000'), {
    group: 'Service',
    description: 'Time to finish what is being done after SIGTERM or Ctrl-C. Cloud Run kills after 10 s.',
  }),
  ROCKPOOL_SUPERVISED: variable(
    oneOf('true', 'false').transform((value) => value === 'true'),
    {
      group: 'Service',
      description:
        'Whether something starts this process anew when it ends, such as a container with a restart policy. An agent host that is, and has a process of its own, is asked to end when its memory is full.',
      defaultText: 'true on Cloud Run, else false',
      example: 'true',
    },
  ),

  ROCKPOOL_ENGINE: variable(oneOf('embedded', 'google').prefault('embedded'), {
    group: 'Storage',
    description:
      'What keeps messages and documents. `embedded`: one process and its data folder, nothing else. `google`: Pub/Sub, Firestore, Cloud Tasks, Cloud Storage and Secret Manager; each app is a process of its own.',
  }),
  ROCKPOOL_DATA_DIR: variable(
    text.prefault('./.rockpool').transform((folder) => resolve(folder)),
    {
      group: 'Storage',
      description: 'Folder that holds everything that is stored. One running instance at a time.',
    },
  ),
  ROCKPOOL_SPOOL_DIR: variable(text.transform((folder) => resolve(folder)).optional(), {
    group: 'Storage',
    description: 'Folder in which events of senders that never retry are kept while nothing else can be written; best on another disk.',
    defaultText: '`spool` in the data folder; none with the google engine, whose machines forget',
    example: '/mnt/other-disk/rockpool-spool',
  }),
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

  GOOGLE_CLOUD_PROJECT: variable(text.optional(), {
    group: 'Google Cloud',
    description: 'Project of the google engine, which cannot do without. Log lines carry trace ids the way Cloud Logging links them.',
    example: 'my-project',
  }),
  ROCKPOOL_REGION: variable(text.prefault('europe-west1'), { group: 'Google Cloud', description: 'Region of the queues and secrets.' }),
  ROCKPOOL_BUCKET: variable(text.optional(), {
    group: 'Google Cloud',
    description: 'Bucket for files.',
    defaultText: '`<project>-rockpool`',
    example: 'my-project-rockpool',
  }),
  ROCKPOOL_FIRESTORE_DATABASE: variable(text.prefault('(default)'), { group: 'Google Cloud', description: 'Firestore database.' }),
  ROCKPOOL_BUS_DELIVERY: variable(oneOf('pull', 'push'), {
    group: 'Google Cloud',
    description:
      'How the dispatcher gets messages: `pull` keeps a stream open, `push` has Pub/Sub call it, so that it can sleep meanwhile.',
    defaultText: 'push on Cloud Run, else pull',
    example: 'pull',
  }),
  ROCKPOOL_CREATE_TOPOLOGY: variable(
    oneOf('true', 'false').transform((value) => value === 'true'),
    {
      group: 'Google Cloud',
      description: 'Whether missing topics, subscriptions, queues and buckets are made at start. In production Terraform makes them.',
      defaultText: 'true with PUBSUB_EMULATOR_HOST, else false',
      example: 'false',
    },
  ),

  PUBSUB_EMULATOR_HOST: variable(plainEndpoint.optional(), {
    group: 'Emulators',
    description: 'Pub/Sub emulator. None of these is accepted on Cloud Run.',
    example: '127.0.0.1:8085',
  }),
  FIRESTORE_EMULATOR_HOST: variable(plainEndpoint.optional(), {
    group: 'Emulators',
    description: 'Firestore emulator.',
    example: '127.0.0.1:8086',
  }),
  STORAGE_EMULATOR_HOST: variable(plainUrl.optional(), {
    group: 'Emulators',
    description: 'Stand-in for Cloud Storage.',
    example: 'http://127.0.0.1:8087',
  }),
  ROCKPOOL_TASKS_ENDPOINT: variable(plainEndpoint.optional(), {
    group: 'Emulators',
    description: 'Stand-in for Cloud Tasks.',
    example: '127.0.0.1:8088',
  }),
  ROCKPOOL_SECRETS_ENDPOINT: variable(plainEndpoint.optional(), {
    group: 'Emulators',
    description: 'Stand-in for Secret Manager.',
    example: '127.0.0.1:8089',
  }),
  ROCKPOOL_CERTS_URL: variable(plainUrl.optional(), {
    group: 'Emulators',
    description: 'Public keys of the issuer that stands in for Google’s.',
    example: 'http://127.0.0.1:8090/certs',
  }),

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
    description: 'How long a conversation stays claimed by a process that gives no sign of life; a job three times as long.',
  }),
  ROCKPOOL_TURN_TIMEOUT_MS: variable(wholeNumber(1_000, 3_600_000).prefault('300000'), {
    group: 'Limits',
    description: 'Longest time one answer may take before it is given up with a message to the person.',
  }),

  ROCKPOOL_PROMOTE_AFTER_MS: variable(wholeNumber(1_000, 3_600_000).prefault('90000'), {
    group: 'Limits',
    description: 'A turn that works for so long and has more to do goes on as a job, and the conversation is free for other messages.',
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
  XDG_CONFIG_HOME: variable(text.optional(), { group: 'Set by the platform', description: 'Folder of this user’s settings.' }),
});

/** The checked configuration: numbers are numbers, paths absolute, URLs without trailing slash. */
export type PlatformConfig = z.output<typeof platformConfig>;
export type VariableName = keyof PlatformConfig;

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

function isHttpUrl(value: string): boolean {
  const url = URL.parse(value);
  return url !== null && (url.protocol === 'http:' || url.protocol === 'https:');
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** This machine, an address of a private network (RFC 1918), or a name without dots: that of a container. */
export function isPrivate(host: string): boolean {
  return isLoopback(host) || /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)[\d.]+$/.test(host) || /^[a-z0-9-]*[a-z][a-z0-9-]*$/i.test(host);
}

function withoutTrailingSlash(url: string): string {
  return url.replace(/\/+$/, '');
}
