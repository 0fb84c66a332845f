import 'reflect-metadata';
import type { Server } from 'node:http';
import { Global, Module, StandardSchemaValidationPipe, type DynamicModule, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { MessageBus, type Cloud, type SpanExporter } from '@rockpool/cloud';
import { InvalidInput, RockpoolError } from '@rockpool/contracts';
import { CloudModule } from './cloud.module.js';
import { CONFIG, type PlatformConfig } from './config.js';
import { EventPublisher } from './event-publisher.js';
import { HealthController } from './health.controller.js';
import { createHttpAdapter, type SenderPatience } from './http-server.js';
import { createLogger, LOGGER, NestLog, type Logger } from './log.js';
import { MessageBusServer } from './message-bus.transport.js';
import { ProblemFilter } from './problem.filter.js';
import { onProcessEnd } from './process-signals.js';
import { provide } from './provide.js';
import { PushController } from './push.controller.js';
import { Readiness } from './readiness.js';
import { runShutdown, Shutdown } from './shutdown.js';
import { startTracing, type Tracing } from './tracing.js';

export interface ServiceOptions {
  /** The app's name: in logs, traces and tokens. */
  readonly name: string;
  /** The app's own Nest module. It can ask for the cloud's ports, `EventPublisher`, `Readiness`, `Shutdown`, `LOGGER` and `CONFIG`. */
  readonly module: Type | DynamicModule;
  readonly config: PlatformConfig;
  /** Closed with the service. When the service does not start, it stays open and the caller's. */
  readonly cloud: Cloud;
  readonly spanExporters?: readonly SpanExporter[];
  /** Told where it listens, before the first event is handled: handlers call routes of this very server. */
  readonly onListening?: (url: string) => void;
  /** Larger bodies are refused with 413. Default 1 MiB. */
  readonly bodyLimitBytes?: number;
  /** How long senders may take over a request. Default: 15 s for its headers, 30 s in all. */
  readonly senderPatience?: SenderPatience;
  /** Writes no logs and leaves the process's signals alone: for services inside a test or another program. */
  readonly silent?: boolean;
}

export interface RunningService {
  /** Where it listens, without trailing slash: `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly app: NestFastifyApplication;
  /**
   * Stops in order: not ready and no new connections, events drained, requests drained, the app's own actions, the cloud, traces. Takes at most
   * ROCKPOOL_SHUTDOWN_TIMEOUT_MS; true when nothing had to be left behind. Calling it again gives the same promise.
   */
  close(): Promise<boolean>;
}

/**
 * Starts an app: logs, traces, HTTP on one port with `/healthz` and `/readyz`, then its event subscriptions. Resolves when it is ready. Rejects with `unavailable`
 * when the port cannot be had, saying which and what to set; nothing is left running then.
 *
 * SIGTERM and SIGINT close it and end the process, with exit code 0 when all ended well; a second signal ends it at once.
 */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const { config, cloud } = options;
  const log = createLogger({
    service: options.name,
    level: options.silent ? 'silent' : config.ROCKPOOL_LOG_LEVEL,
    format: config.ROCKPOOL_LOG_FORMAT,
    googleCloudProject: config.GOOGLE_CLOUD_PROJECT,
  });
  const tracing = await startTracing({
    serviceName: config.OTEL_SERVICE_NAME ?? options.name,
    exporters: options.spanExporters ?? [],
    otlpEndpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
    otlpHeaders: config.OTEL_EXPORTER_OTLP_HEADERS,
    onError: (error) => log.warn({ error }, 'spans could not be delivered'),
  });
  const readiness = new Readiness(log);
  readiness.add({ name: 'cloud', check: () => cloud.check() });
  const shutdown = new Shutdown();
  const bus = new MessageBusServer(cloud.bus, log);

  let app: NestFastifyApplication | undefined;
  try {
    app = await NestFactory.create<NestFastifyApplication>(
      rootModule(options, [
        { provide: LOGGER, useValue: log },
        { provide: CONFIG, useValue: config },
        { provide: Readiness, useValue: readiness },
        { provide: Shutdown, useValue: shutdown },
      ]),
      createHttpAdapter(readiness, options),
      { logger: new NestLog(log), bodyParser: false, abortOnError: false },
    );
    app.useGlobalFilters(new ProblemFilter(log));
    app.useGlobalPipes(new StandardSchemaValidationPipe({ exceptionFactory: invalidInput }));
    app.connectMicroservice({ strategy: bus }, { inheritAppConfig: true });
    await app.init();
    const url = await listen(app, config);
    options.onListening?.(url);
    // Handlers call routes of this very server, so events come after it.
    await app.startAllMicroservices();
    readiness.open();

    let closing: Promise<boolean> | undefined;
    const running = { app, bus, cloud, readiness, shutdown, tracing, log, timeoutMs: config.ROCKPOOL_SHUTDOWN_TIMEOUT_MS };
    const close = () => (closing ??= stop(running));
    if (!options.silent) onProcessEnd({ close, log });
    log.info({ url }, `${options.name} is ready`);
    return { url, app, close };
  } catch (error) {
    await Promise.allSettled([bus.close(0), app?.close(), tracing.shutdown()]);
    throw error;
  }
}

function rootModule(options: ServiceOptions, values: { provide: symbol | Type; useValue: unknown }[]): DynamicModule {
  @Global()
  @Module({})
  class Service {}
  return {
    module: Service,
    imports: [CloudModule.forRoot(options.cloud), options.module],
    controllers: options.cloud.push ? [HealthController, PushController] : [HealthController],
    providers: [...values, provide(EventPublisher, MessageBus)],
    exports: [...values.map((value) => value.provide), EventPublisher],
  };
}

function invalidInput(
  issues: readonly { message: string; path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined }[],
): InvalidInput {
  const words = issues.slice(0, 5).map(({ message, path }) => {
    const place = (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
    return place === '' ? message : `${place}: ${message}`;
  });
  return new InvalidInput(words.join('; '));
}

async function listen(app: NestFastifyApplication, config: PlatformConfig): Promise<string> {
  const { PORT: port, ROCKPOOL_HOST: host } = config;
  try {
    await app.getHttpAdapter().getInstance().listen({ port, host });
  } catch (cause) {
    throw new RockpoolError('unavailable', listenProblem((cause as NodeJS.ErrnoException).code, host, port), { cause });
  }
  const address = app.getHttpServer().address();
  const actualPort = typeof address === 'object' && address !== null ? address.port : port;
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${actualPort}`;
}

function listenProblem(code: string | undefined, host: string, port: number): string {
  if (code === 'EADDRINUSE') return `port ${port} on ${host} is in use. Stop what uses it, or choose another one: PORT=${port + 1}`;
  if (code === 'EACCES') return `port ${port} may not be used by this user. Choose one above 1023: PORT=8080`;
  if (code === 'EADDRNOTAVAIL') return `${host} is no address of this machine. Set ROCKPOOL_HOST=127.0.0.1, or 0.0.0.0 for all addresses`;
  return `cannot listen on ${host}:${port} (${code ?? 'unknown reason'}). Set PORT or ROCKPOOL_HOST`;
}

const idleSweepMs = 20;
/** Of the time to drain events, what handlers have to end by themselves; the rest is for giving back what they did not end. */
const handlersShare = 0.7;

interface Stoppable {
  readonly app: NestFastifyApplication;
  readonly bus: MessageBusServer;
  readonly cloud: Cloud;
  readonly readiness: Readiness;
  readonly shutdown: Shutdown;
  readonly tracing: Tracing;
  readonly log: Logger;
  readonly timeoutMs: number;
}

async function stop({ app, bus, cloud, readiness, shutdown, tracing, log, timeoutMs }: Stoppable): Promise<boolean> {
  const server: Server = app.getHttpServer();
  const drained = Promise.withResolvers<void>();
  let sweep: NodeJS.Timeout | undefined;
  const clean = await runShutdown(
    [
      {
        name: 'stop accepting',
        until: 0.05,
        run() {
          readiness.close();
          server.close(() => drained.resolve());
          // Node closes the connections that are idle now; those that become idle would be kept alive.
          sweep = setInterval(() => server.closeIdleConnections(), idleSweepMs);
          shutdown.begin();
        },
      },
      { name: 'drain events', until: 0.5, run: (remainingMs) => bus.close(remainingMs * handlersShare) },
      { name: 'drain requests', until: 0.7, run: () => drained.promise },
      {
        name: 'close connections',
        until: 0.7,
        run() {
          clearInterval(sweep);
          server.closeAllConnections();
        },
      },
      ...shutdown.actions.map(({ name, run }) => ({ name, until: 0.8, run })),
      { name: 'close app', until: 0.8, run: () => app.close() },
      { name: 'close cloud', until: 0.95, run: (remainingMs) => cloud.close(remainingMs) },
      { name: 'flush traces', until: 1, run: () => tracing.shutdown() },
    ],
    timeoutMs,
    log,
  );
  log.info({ clean }, 'stopped');
  log.flush();
  return clean;
}
