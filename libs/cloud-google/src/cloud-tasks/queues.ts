import type { CloudTasksClient } from '@google-cloud/tasks';
import type { QueueSpec } from '@rockpool/cloud';
import { codeOf } from '@rockpool/contracts';
import { callApi, oneAttempt } from '../api-calls.js';
import { protoTime } from './proto-time.js';

/** Makes the queues that are missing in this location and gives all of them their limits. Several processes may do so at once. */
export async function ensureQueues(client: CloudTasksClient, location: string, specs: readonly QueueSpec[]): Promise<void> {
  for (const spec of specs) {
    const queue = queueMessage(location, spec);
    try {
      await callApi(`update the task queue ${spec.name}`, () =>
        client.updateQueue({ queue, updateMask: { paths: ['rate_limits', 'retry_config'] } }, oneAttempt),
      );
    } catch (error) {
      if (codeOf(error) !== 'not_found') throw error;
      await callApi(`create the task queue ${spec.name}`, () => client.createQueue({ parent: location, queue }, oneAttempt)).catch(
        (failure: unknown) => {
          if (codeOf(failure) !== 'already_exists') throw failure;
        },
      );
    }
  }
}

/** The queue as Terraform and the service know it. Backoff is in whole seconds there, at least one: a retry is later than asked rather than sooner. */
function queueMessage(location: string, spec: QueueSpec): object {
  const minBackoffSeconds = Math.max(1, Math.ceil(spec.minBackoffMs / 1000));
  const maxBackoffSeconds = Math.max(minBackoffSeconds, Math.ceil(spec.maxBackoffMs / 1000));
  return {
    name: `${location}/queues/${spec.name}`,
    rateLimits: { maxDispatchesPerSecond: spec.maxDispatchesPerSecond, maxConcurrentDispatches: spec.maxConcurrentDispatches },
    retryConfig: {
      maxAttempts: spec.maxAttempts,
      // 0 means here that attempts alone decide: what the port says of 0, too.
      maxRetryDuration: protoTime(Math.ceil(spec.maxRetryDurationMs / 1000) * 1000),
      minBackoff: protoTime(minBackoffSeconds * 1000),
      maxBackoff: protoTime(maxBackoffSeconds * 1000),
      // Doubling all the way to the maximum; without it the service goes on linearly.
      maxDoublings: Math.ceil(Math.log2(maxBackoffSeconds / minBackoffSeconds)),
    },
  };
}
