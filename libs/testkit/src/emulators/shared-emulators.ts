import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startFirestoreEmulator, startPubSubEmulator, type RunningEmulator } from './emulator.js';

const starters = { '/firestore': startFirestoreEmulator, '/pubsub': startPubSubEmulator };

/** Names to the processes of a test run the address of {@link serveSharedEmulators}. */
export const sharedEmulatorsVariable = 'TESTKIT_EMULATORS_URL';

/** What lends emulators to the processes of a test run. */
export interface SharedEmulators {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** Ends those that were started. */
  stop(): Promise<void>;
}

/**
 * Lends one emulator of each kind to every process that asks at its address, and starts it when it is asked for first: starting and warming up a virtual machine costs more
 * than most tests that need one. Borrowers keep apart by project, for each of which an emulator has a database and a bus of its own.
 */
export async function serveSharedEmulators(): Promise<SharedEmulators> {
  const started = new Map<string, Promise<RunningEmulator>>();
  const lend = (path: string, start: () => Promise<RunningEmulator>): Promise<RunningEmulator> => {
    const emulator = started.get(path) ?? start();
    started.set(path, emulator);
    return emulator;
  };
  const server = createServer(({ url = '' }, response) => {
    const start = url in starters && starters[url as keyof typeof starters];
    if (!start) return answer(response, 404, { error: 'there is /firestore and /pubsub' });
    lend(url, start).then(
      ({ host }) => answer(response, 200, { host }),
      (error: Error) => answer(response, 503, { error: error.message }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      const ended = await Promise.allSettled(started.values());
      await Promise.all(ended.map((emulator) => emulator.status === 'fulfilled' && emulator.value.stop()));
    },
  };
}

/** The Firestore emulator that this test run shares, or one of its own where none is. Its borrower takes a project of its own. */
export function borrowFirestoreEmulator(): Promise<RunningEmulator> {
  return borrow('/firestore');
}

/** The Pub/Sub emulator that this test run shares, or one of its own where none is. Its borrower takes a project of its own. */
export function borrowPubSubEmulator(): Promise<RunningEmulator> {
  return borrow('/pubsub');
}

async function borrow(path: keyof typeof starters): Promise<RunningEmulator> {
  const lender = process.env[sharedEmulatorsVariable];
  if (lender === undefined) return starters[path]();
  const response = await fetch(`${lender}${path}`);
  const { host, error } = (await response.json()) as { host?: string; error?: string };
  if (host === undefined) throw new Error(error ?? `${lender}${path} answered ${response.status}`);
  return { host, stop: () => Promise.resolve() };
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
