import { createProgram } from './program.js';
import { endOf } from './exit-codes.js';

// Whoever reads our output may stop early: `rockpool inbox | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

try {
  await createProgram().parseAsync();
} catch (error) {
  const { exitCode, message } = endOf(error);
  if (message !== undefined) process.stderr.write(`${message}\n`);
  process.exitCode = exitCode;
}
