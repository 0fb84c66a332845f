#!/usr/bin/env node
import { runGoogleFakes } from '../dist/google/command.js';

const ending = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => ending.abort());

const code = await runGoogleFakes(process.argv.slice(2), {
  output: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
  signal: ending.signal,
});
process.exit(code);
