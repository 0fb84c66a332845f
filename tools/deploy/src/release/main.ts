import { runDeploy } from './run-deploy.js';

const interrupt = new AbortController();
process.once('SIGINT', () => {
  process.stderr.write('stopping, and bringing the traffic back (Ctrl-C again stops at once)\n');
  interrupt.abort();
});
process.once('SIGTERM', () => interrupt.abort());

process.exitCode = await runDeploy({
  argv: process.argv.slice(2),
  env: process.env,
  write: (text) => process.stdout.write(text),
  writeError: (text) => process.stderr.write(text),
  signal: interrupt.signal,
});
