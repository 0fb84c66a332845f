#!/usr/bin/env node
import { once } from 'node:events';
import { runGoogleFakes } from '../dist/google/command.js';

const code = await runGoogleFakes(process.argv.slice(2), {
  output: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
  ended: Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]),
});
process.exit(code);
