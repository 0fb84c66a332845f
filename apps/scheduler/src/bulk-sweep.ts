import type { Documents } from '@rockpool/cloud';
import type { BulkOperation, BulkWorker } from '@rockpool/platform';

const running = { from: { collection: 'operations' }, where: { state: 'running' } } as const;

/** Works on operations in bulk that nobody else works on: where consoles sleep, one may have been begun from a command line, or cut off in the middle. */
export class BulkSweep {
  constructor(
    private readonly documents: Documents,
    private readonly newWorker: () => BulkWorker,
  ) {}

  /** Resolves when none is left, or soon after the signal: the next sweep goes on. */
  async sweep(until: AbortSignal): Promise<void> {
    if ((await this.documents.query({ ...running, limit: 1 })).items.length === 0) return;
    const over = Promise.withResolvers<void>();
    const end = () => over.resolve();
    until.addEventListener('abort', end, { once: true });
    if (until.aborted) end();
    const unwatch = await this.documents.watch<BulkOperation>(running, ({ items }) => {
      if (items.length === 0) end();
    });
    const worker = this.newWorker();
    try {
      await worker.start();
      await over.promise;
    } finally {
      until.removeEventListener('abort', end);
      unwatch();
      await worker.stop();
    }
  }
}
