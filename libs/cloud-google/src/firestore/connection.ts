import { Firestore } from '@google-cloud/firestore';
import type { CallProperties } from '@grpc/grpc-js';

/** Where a database is. */
export interface FirestorePlace {
  readonly projectId: string;
  /** Default: `(default)`. */
  readonly databaseId?: string;
  /** An emulator's `host:port`, spoken to without TLS and credentials. Absent: the real service. */
  readonly endpoint?: string;
}

/** A write that was not answered by then is given up. */
const writeLimitMs = 10_000;

/** Connects at the first use. */
export function connect({ projectId, databaseId, endpoint }: FirestorePlace): Firestore {
  return new Firestore({
    projectId,
    ...(databaseId !== undefined && { databaseId }),
    ...(endpoint !== undefined && { host: endpoint, ssl: false, clientOptions: { universeDomain: 'googleapis.com' } }),
    grpcOptions: { 'grpc.callInvocationTransformer': withDeadline },
  });
}

/**
 * Left to itself the client sends a write again for ten minutes while there is no connection, and it would overwrite what others wrote when
 * its caller had long given up. So a write waits for the connection, within its time, and a deadline that has passed is not tried again.
 */
function withDeadline<Request, Response>(call: CallProperties<Request, Response>): CallProperties<Request, Response> {
  if (!call.methodDefinition.path.endsWith('/Commit')) return call;
  const metadata = call.metadata.clone();
  metadata.setOptions({ ...metadata.getOptions(), waitForReady: true });
  return { ...call, metadata, callOptions: { ...call.callOptions, deadline: Date.now() + writeLimitMs } };
}
