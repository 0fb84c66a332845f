import { Conflict, isRockpoolError, RockpoolError, TerminalError } from '@rockpool/contracts';

/** The codes of gRPC that mean something to this driver. */
export const grpc = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  failedPrecondition: 9,
  aborted: 10,
  unauthenticated: 16,
} as const;

/** The gRPC code of what Firestore's client threw. */
export function grpcCodeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

/** True when a condition of a write was not met, or when others were at work on the same documents. */
export function isContention(error: unknown): boolean {
  const code = grpcCodeOf(error);
  return code === grpc.failedPrecondition || code === grpc.aborted || isMissingDocument(error) || isExpiredTransaction(error);
}

function isMissingDocument(error: unknown): boolean {
  return grpcCodeOf(error) === grpc.notFound && !/database .*does not exist/is.test(messageOf(error));
}

function isExpiredTransaction(error: unknown): boolean {
  return grpcCodeOf(error) === grpc.invalidArgument && /transaction.*(expired|closed|no longer valid)/i.test(messageOf(error));
}

/** What a caller is told of an error of a read. Errors of ours stay as they are. */
export function readError(error: unknown): unknown {
  if (isRockpoolError(error)) return error;
  // The message has the address at which the index can be made.
  if (grpcCodeOf(error) === grpc.failedPrecondition && /index/i.test(messageOf(error)))
    return new RockpoolError('undeclared_index', messageOf(error), { cause: error });
  return unavailable(error);
}

/** What a caller is told when a write failed for another reason than its conditions. */
export function writeError(error: unknown, path: string): unknown {
  if (isRockpoolError(error)) return error;
  if (isContention(error)) return new Conflict(`${path} has been changed or deleted meanwhile`, { cause: error });
  // Names and values were checked before; what Firestore can still find wrong is the size.
  if (grpcCodeOf(error) === grpc.invalidArgument)
    return new TerminalError(`Firestore cannot hold ${path}: ${messageOf(error)}`, { code: 'too_large', cause: error });
  return unavailable(error);
}

function unavailable(error: unknown): RockpoolError {
  const code = grpcCodeOf(error);
  const remedy =
    code === grpc.permissionDenied || code === grpc.unauthenticated
      ? '; the service account of this app needs roles/datastore.user'
      : code === grpc.notFound
        ? '; the project has no such database'
        : '';
  return new RockpoolError('unavailable', `Firestore does not answer: ${messageOf(error)}${remedy}`, { cause: error });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
