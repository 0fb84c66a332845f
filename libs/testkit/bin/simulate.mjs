#!/usr/bin/env node
import { simulate } from '../dist/command/command.js';

const code = await simulate(process.argv.slice(2), {
  input: process.stdin,
  output: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
});
process.exit(code);
