import {
  Server,
  ServerCredentials,
  status,
  type handleBidiStreamingCall,
  type handleUnaryCall,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { fromJSON, type PackageDefinition } from '@grpc/proto-loader';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Clock } from '../wire/clock.js';
import type { Faults } from '../wire/faults.js';
import type { Json } from '../wire/json.js';

/** A call that a fake refuses, with the code of the real service: `new GrpcFailure(status.NOT_FOUND, '…')`. */
export class GrpcFailure extends Error {
  constructor(
    readonly code: status,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Unary methods of one service by name: `CreateTask`. The request has every field, absent ones at their defaults; `oneof` members that were not sent are absent. Its size is
 * the one on the wire, give or take those defaults.
 */
export type GrpcMethods = Readonly<Record<string, (request: Json, sizeBytes: number) => Promise<object> | object>>;

export interface GrpcServerOptions {
  /** The client package whose `protos.json` describes the services: `@google-cloud/tasks`. */
  readonly clientPackage: string;
  /** Methods by the service's full name: `google.cloud.tasks.v2.CloudTasks`. What is not given answers UNIMPLEMENTED. */
  readonly services: Readonly<Record<string, GrpcMethods>>;
  /** Streams in both directions, by the service's full name and theirs. No faults strike them. */
  readonly streams?: Readonly<Record<string, Readonly<Record<string, handleBidiStreamingCall<Json, object>>>>>;
  readonly clock: Clock;
  readonly faults: Faults;
}

/** What a fault's HTTP status is in gRPC. */
const codeByStatus: Readonly<Record<number, status>> = {
  400: status.INVALID_ARGUMENT,
  401: status.UNAUTHENTICATED,
  403: status.PERMISSION_DENIED,
  404: status.NOT_FOUND,
  409: status.ABORTED,
  429: status.RESOURCE_EXHAUSTED,
  500: status.INTERNAL,
  503: status.UNAVAILABLE,
  504: status.DEADLINE_EXCEEDED,
};

/** A gRPC server, on the loopback unless it is told otherwise, without TLS and without authentication, that speaks the protos inside a client package. */
export class GrpcServer {
  readonly #server = new Server({ 'grpc.max_receive_message_length': 16 << 20 });
  readonly #options: GrpcServerOptions;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    const protos = protosOf(options.clientPackage);
    for (const [service, methods] of Object.entries(options.services)) {
      const definition = protos[service] as ServiceDefinition | undefined;
      if (definition === undefined || 'format' in definition) throw new Error(`${options.clientPackage} describes no service ${service}`);
      const handlers = Object.entries(methods).map(([name, method]) => [
        name,
        this.#unary(name, method, definition[name]!.requestSerialize),
      ]);
      const unary = Object.fromEntries(handlers) as Record<string, handleUnaryCall<Json, object>>;
      this.#server.addService(definition, { ...unary, ...options.streams?.[service] });
    }
  }

  /** Resolves with `127.0.0.1:PORT`, also when it listens on every address. */
  async listen(port = 0, host = '127.0.0.1'): Promise<string> {
    const bound = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, actual) =>
        error ? reject(error) : resolve(actual),
      );
    });
    return `127.0.0.1:${bound}`;
  }

  /** Breaks every connection. */
  close(): void {
    this.#server.forceShutdown();
  }

  #unary(operation: string, method: GrpcMethods[string], serialize: (request: Json) => Buffer): handleUnaryCall<Json, object> {
    return (call, callback) => {
      this.#serve(operation, (request) => method(request, serialize(request).length), call.request).then(
        (response) => callback(null, response),
        (error: unknown) => callback(asStatus(operation, error)),
      );
    };
  }

  async #serve(operation: string, method: (request: Json) => Promise<object> | object, request: Json): Promise<object> {
    const { clock, faults } = this.#options;
    const fault = faults.strike({
      ...{ operation, method: 'POST', path: `/${operation}`, headers: {} },
      // Written out for those who look: a request may carry megabytes.
      get body() {
        return JSON.stringify(request);
      },
    });
    if (fault?.kind === 'status') throw new GrpcFailure(codeByStatus[fault.status ?? 503] ?? status.UNKNOWN, 'a fault was asked for');
    if (fault?.kind === 'drop-before' || fault?.kind === 'reset') throw new GrpcFailure(status.UNAVAILABLE, 'the connection was dropped');
    if (fault?.kind === 'delay') await clock.sleep(fault.delayMs ?? 1000);
    const response = await method(request);
    if (fault?.kind === 'accept-then-drop') throw new GrpcFailure(status.UNAVAILABLE, 'the connection was dropped');
    return response;
  }
}

/** The services that a client package describes. Not by `require`: the packages do not export the file, they only contain it. */
export function protosOf(clientPackage: string): PackageDefinition {
  const [root] = createRequire(import.meta.url)
    .resolve(clientPackage)
    .split(/[\\/]build[\\/]/);
  const protos = JSON.parse(readFileSync(`${root}/build/protos/protos.json`, 'utf8')) as object;
  return fromJSON(protos, { longs: String, enums: String, defaults: true, oneofs: true });
}

function asStatus(operation: string, error: unknown): { code: status; details: string } {
  if (error instanceof GrpcFailure) return { code: error.code, details: error.message };
  // A fault of the fake itself has to be seen as one.
  return { code: status.INTERNAL, details: `the fake failed in ${operation}: ${error instanceof Error ? error.stack : String(error)}` };
}
