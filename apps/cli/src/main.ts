import { createProgram } from './program.js';
import { endOf } from './exit-codes.js';

try {
  await createProgram().parseAsync();
} catch (error) {
  const { exitCode, message } = endOf(error);
  if (message !== undefined) process.stderr.write(`${message}\n`);
  process.exitCode = exitCode;
}
