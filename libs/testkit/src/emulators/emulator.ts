import { freePort, startProcess } from '../launch.js';
import { type FoundEmulator, type MissingEmulator, findEmulators } from './find-emulators.js';

/** Starting a virtual machine on a busy computer takes its time. */
const startTimeoutMs = 60_000;

/** An emulator that runs. It ends with {@link RunningEmulator.stop}, and at the latest with this process, whatever becomes of that. */
export interface RunningEmulator {
  /** `127.0.0.1:<port>`, as the clients' `…_EMULATOR_HOST` variables want it. */
  readonly host: string;
  /** Ends it and what it has stored. */
  stop(): Promise<void>;
}

/** Starts Google's Pub/Sub emulator on a free port, empty. Rejects with the reason when it is not installed. */
export function startPubSubEmulator(): Promise<RunningEmulator> {
  return start(findEmulators().pubsub, /Server started/);
}

/** Starts Google's Firestore emulator on a free port, empty. Rejects with the reason when it is not installed. */
export function startFirestoreEmulator(): Promise<RunningEmulator> {
  return start(findEmulators().firestore, /Dev App Server is now running/);
}

async function start(emulator: FoundEmulator | MissingEmulator, readyLine: RegExp): Promise<RunningEmulator> {
  if (emulator.missing !== undefined) throw new Error(emulator.missing);
  const port = await freePort();
  const started = await startProcess({
    command: emulator.command,
    args: [...emulator.args, '--host=127.0.0.1', `--port=${port}`],
    readyLine,
    timeoutMs: startTimeoutMs,
  });
  return { host: `127.0.0.1:${port}`, stop: () => started.stop() };
}
