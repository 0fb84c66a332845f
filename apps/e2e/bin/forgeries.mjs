// npm run forgeries -- --count 1000000 --seed 1          against the verifiers, in process
// npm run forgeries -- --http --count 100000 --seed 1    over HTTP, against the built product
// npm run forgeries -- --crowds                          large, endless and slow requests, and what they cost
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    http: { type: 'boolean', default: false },
    crowds: { type: 'boolean', default: false },
    count: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});

if (values.crowds) {
  const { meetCrowds } = await import('../dist/hostile/meet-crowds.js');
  process.exitCode = await meetCrowds();
} else if (values.http) {
  const { forgeOverHttp } = await import('../dist/hostile/forge-over-http.js');
  process.exitCode = await forgeOverHttp({ count: Number(values.count ?? 100_000), seed: Number(values.seed) });
} else {
  const script = fileURLToPath(new URL('../../../libs/channels/scripts/forgeries.mjs', import.meta.url));
  const args = [script, '--count', values.count ?? '1000000', '--seed', values.seed];
  process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
}
