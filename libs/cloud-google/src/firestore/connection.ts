import { Firestore } from '@google-cloud/firestore';
import { type CallProperties, InterceptingCall, type Interceptor, status } from '@grpc/grpc-js';

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
/** Longest pause between two tries to connect; otherwise the end of an outage would be noticed two minutes late. */
const reconnectLimitMs = 2_000;

/** A client of one database. */
export interface Connection {
  readonly firestore: Firestore;
  /** From now on nothing is sent or tried again. What waits for an answer may still have it. */
  stop(): void;
}

/** Connects at the first use. */
export function connect({ projectId, databaseId, endpoint }: FirestorePlace): Connection {
  let isStopped = false;
  const firestore = new Firestore({
    projectId,
    ...(databaseId !== undefined && { databaseId }),
    ...(endpoint !== undefined && { host: endpoint, ssl: false, clientOptions: { universeDomain: 'googleapis.com' } }),
    grpcOptions: {
      'grpc.callInvocationTransformer': (call: CallProperties<unknown, unknown>) => {
        if (isStopped) return { ...call, callOptions: { ...call.callOptions, interceptors: [refuse] } };
        return withDeadline(call);
      },
      'grpc.max_reconnect_backoff_ms': reconnectLimitMs,
    },
  });
  return { firestore, stop: () => void (isStopped = true) };
}

/**
 * Left to itself the client sends a write again for ten minutes while there is no connection, and it would overwrite what others wrote when
 * its caller had long given up. So a write waits for the connection, within its time, and a deadline that has passed is not tried again.
 */
function withDeadline(call: CallProperties<unknown, unknown>): CallProperties<unknown, unknown> {
  if (!call.methodDefinition.path.endsWith('/Commit')) return call;
  const metadata = call.metadata.clone();
  metadata.setOptions({ ...metadata.getOptions(), waitForReady: true });
  return { ...call, metadata, callOptions: { ...call.callOptions, deadline: Date.now() + writeLimitMs } };
}

/** Ends a call as it begins, with a status that the client does not try again. */
const refuse: Interceptor = (options, nextCall) => {
  const call = nextCall(options);
  return new InterceptingCall(call, {
    start(metadata, listener, next) {
      next(metadata, listener);
      call.cancelWithStatus(status.CANCELLED, 'the client is closed');
    },
  });
};
