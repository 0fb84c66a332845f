import { credentials, makeClientConstructor, status, type ServiceDefinition, type ServiceError } from '@grpc/grpc-js';
import { protosOf } from '../google/grpc-server.js';
import type { Json } from '../wire/json.js';

/** Calls a fake as a client does, without a client's habits. */
export class GrpcCaller {
  readonly #client: InstanceType<ReturnType<typeof makeClientConstructor>>;

  constructor(clientPackage: string, service: string, host: string) {
    const Client = makeClientConstructor(protosOf(clientPackage)[service] as ServiceDefinition, service);
    this.#client = new Client(host, credentials.createInsecure());
  }

  /** Rejects with the gRPC error. */
  call(method: string, request: object): Promise<Json> {
    return new Promise((resolve, reject) => {
      const unary = this.#client[method] as (request: object, callback: (error: ServiceError | null, response: Json) => void) => void;
      unary.call(this.#client, request, (error, response) => (error ? reject(error) : resolve(response)));
    });
  }

  /** Name of the code that the call is refused with, or `OK`. */
  codeOf(method: string, request: object): Promise<string> {
    return this.call(method, request).then(
      () => 'OK',
      (error: ServiceError) => status[error.code],
    );
  }

  close(): void {
    this.#client.close();
  }
}
