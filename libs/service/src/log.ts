import type { LoggerService } from '@nestjs/common';
import { trace } from '@opentelemetry/api';
import { codeOf, isRockpoolError } from '@rockpool/contracts';
import { pino, type DestinationStream, type Logger } from 'pino';
import { prettyLines } from './pretty-log.js';
import { redactFields, redactText } from './redact.js';

export type { Logger };

/** Injection token of the service's {@link Logger}. */
export const LOGGER = Symbol('rockpool.logger');

export interface LogOptions {
  /** Stands in every line as `service`. */
  readonly service: string;
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  /** Default: pretty in a terminal, else json. */
  readonly format?: 'json' | 'pretty';
  /** With a project, trace ids are written the way Cloud Logging links them to Cloud Trace. */
  readonly googleCloudProject?: string;
  /** Where lines go; default: stdout, written before the call returns, so that a crash loses none. */
  readonly destination?: DestinationStream;
}

/** Google Cloud Logging's names: https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity */
const severities: Readonly<Record<string, string>> = {
  trace: 'DEBUG',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'CRITICAL',
};

/**
 * A structured logger. Each line has `severity`, `time`, `message` and, inside a span, the ids of its trace. Errors go under `error` and keep their stable code.
 * Secrets are removed by the name of the field and by their look, in messages and stacks too.
 */
export function createLogger(options: LogOptions): Logger {
  const pretty = (options.format ?? (process.stdout.isTTY ? 'pretty' : 'json')) === 'pretty';
  const stdout = options.destination ?? pino.destination({ dest: 1, sync: true });
  return pino(
    {
      level: options.level,
      messageKey: 'message',
      errorKey: 'error',
      base: { service: options.service },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ severity: severities[label] ?? 'DEFAULT' }), log: redactFields },
      serializers: { error: errorFields },
      mixin: () => traceFields(options.googleCloudProject),
      hooks: { streamWrite: redactText },
    },
    pretty ? prettyLines(stdout) : stdout,
  );
}

/** An error as it is logged: its code, its words, its stack, and the same of its causes. */
function errorFields(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error) && !isRockpoolError(error)) return error;
  const { name, message, stack, cause } = error as Error;
  const code = isRockpoolError(error) ? codeOf(error) : (error as { code?: unknown }).code;
  return {
    name,
    code: typeof code === 'string' || typeof code === 'number' ? code : codeOf(error),
    message,
    stack,
    ...(cause !== undefined && depth < 4 && { cause: errorFields(cause, depth + 1) }),
  };
}

function traceFields(project: string | undefined): object {
  const span = trace.getActiveSpan()?.spanContext();
  if (!span) return {};
  if (project === undefined) return { traceId: span.traceId, spanId: span.spanId };
  return {
    'logging.googleapis.com/trace': `projects/${project}/traces/${span.traceId}`,
    'logging.googleapis.com/spanId': span.spanId,
    'logging.googleapis.com/trace_sampled': (span.traceFlags & 1) === 1,
  };
}

/** Parts of Nest that tell what they did at every start; of interest only to somebody who looks for it. */
const chatter = new Set(['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestApplication', 'NestMicroservice']);

/** Nest's own log lines, in ours. */
export class NestLog implements LoggerService {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  log(message: unknown, ...rest: unknown[]): void {
    const context = rest.at(-1);
    this.#write(typeof context === 'string' && chatter.has(context) ? 'debug' : 'info', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.#write('fatal', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.#write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.#write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.#write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.#write('trace', message, rest);
  }

  /** Nest passes the name of the speaking class last, and before it, for errors, a stack. */
  #write(level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal', message: unknown, rest: readonly unknown[]): void {
    const context = rest.at(-1);
    const error = [message, ...rest].find((part) => part instanceof Error);
    const stack = rest.length > 1 && typeof rest[0] === 'string' ? rest[0] : undefined;
    this.#logger[level](
      { ...(typeof context === 'string' && { context }), ...(error !== undefined && { error }), ...(stack !== undefined && { stack }) },
      message instanceof Error ? message.message : String(message),
    );
  }
}
