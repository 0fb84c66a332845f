import type { Blobs } from './blobs.js';
import type { Documents } from './documents.js';
import type { Identity } from './identity.js';
import type { MessageBus } from './message-bus.js';
import type { PushEndpoint } from './push.js';
import type { Secrets } from './secrets.js';
import type { Tasks } from './tasks.js';

/** The six ports of one engine, opened together. Everything above takes the single port it needs. */
export interface Cloud {
  readonly bus: MessageBus;
  readonly documents: Documents;
  readonly tasks: Tasks;
  readonly blobs: Blobs;
  readonly secrets: Secrets;
  readonly identity: Identity;
  /** There when the bus delivers by calling this process: `POST /pubsub/:subscription`. */
  readonly push?: PushEndpoint;
  /** `undefined` when the engine is well, else what is wrong and what to do: `/readyz` and `doctor` print it. */
  check(): Promise<string | undefined>;
  /** Bus and tasks first, storage last. What was accepted is durable afterwards. */
  close(drainMs?: number): Promise<void>;
}
