import { writeSync } from 'node:fs';

/** Ends a test run with its totals in one plain line, below everything that Jest has to say. A suite that could not run counts as a failed test. */
export default class JestTotals {
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const totals = `${results.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
    process.once('exit', () => writeSync(1, `\n${totals}\n`));
  }
}
