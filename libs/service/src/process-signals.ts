import { constants } from 'node:os';
import type { Logger } from './log.js';

/** Under `npm start`, Ctrl-C arrives twice: from the terminal and from npm. The same signal so soon after is the same wish. */
const sameWishMs = 1_000;

/**
 * Ends the process in order on SIGTERM or SIGINT, at once on the second. What nobody caught is logged, redacted, and ends the process too: everything accepted is on
 * disk, and going on in an unknown state is worse than starting again.
 */
export function onProcessEnd({ close, log }: { close: () => Promise<boolean>; log: Logger }): void {
  let asked: { signal: string; at: number } | undefined;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (asked) {
        if (asked.signal === signal && performance.now() - asked.at < sameWishMs) return;
        process.stderr.write(`second signal (${signal}): stopped at once; what was not finished is taken up at the next start\n`);
        process.exit(128 + constants.signals[signal]);
      }
      asked = { signal, at: performance.now() };
      log.info({ signal }, 'stopping: finishing what is being done (a second signal stops at once)');
      void close().then((clean) => process.exit(clean ? 0 : 1));
    });
  }
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.fatal({ error }, 'nobody caught this error: the process ends');
      process.exit(1);
    });
  }
}
