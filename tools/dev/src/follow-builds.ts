import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/**
 * Builds whenever a source changes and calls `onBuilt` after each build that went well and changed something; what the compiler finds is printed. The process that is
 * returned builds until it is ended.
 */
export function followBuilds(root: string, ending: AbortSignal, print: (line: string) => void, onBuilt: () => Promise<void>): ChildProcess {
  const compiler = spawn(
    process.execPath,
    [
      join(root, 'node_modules/typescript/bin/tsc'),
      '--build',
      join(root, 'tsconfig.build.json'),
      '--watch',
      '--preserveWatchOutput',
      '--listEmittedFiles',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let changed = false;
  let underWay: Promise<void> = Promise.resolve();
  createInterface({ input: compiler.stdout }).on('line', (line) => {
    if (line.startsWith('TSFILE:')) changed ||= line.endsWith('.js');
    else if (/error TS\d+/.test(line)) print(line);
    else if (/Found 0 errors/.test(line) && changed) {
      changed = false;
      underWay = underWay.then(() => (ending.aborted ? undefined : onBuilt())).catch((error: unknown) => print(String(error)));
    }
  });
  return compiler;
}
