import type { GoogleStack } from '@rockpool/testkit';

/** Restarts every copy in order, one of an app after the other, so that those that have several keep answering. */
export async function restartAll(stack: GoogleStack, print: (line: string) => void, ending: AbortSignal): Promise<void> {
  print('Something changed: restarting the apps …');
  await Promise.all(
    Object.entries(stack.apps).map(async ([name, { copies }]) => {
      for (const copy of copies) {
        if (ending.aborted) return;
        try {
          await copy.restart('SIGTERM');
        } catch (error) {
          print(`the ${name} did not come back: ${(error as Error).message}`);
        }
      }
    }),
  );
  print('Restarted.');
}
