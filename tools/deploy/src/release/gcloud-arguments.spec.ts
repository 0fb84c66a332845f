import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gcloud } from './cloud-run.js';

/**
 * The real `gcloud` reads its arguments before it looks for an account. Without an account it goes no further, so it can be asked whether it understands us without
 * anything being reached.
 */

const found = spawnSync('gcloud', ['version'], { encoding: 'utf8' });
const missing = found.error ? ' (skipped: no gcloud on this machine)' : '';
const place = { project: 'my-project', region: 'europe-west1' };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rockpool-gcloud-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What gcloud says in a configuration of its own, where nobody is logged in. */
function said(args: readonly string[]): Promise<string> {
  const env = {
    ...process.env,
    CLOUDSDK_CONFIG: folder,
    CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: 'true',
    // A machine at Google has an account without anybody logging in.
    CLOUDSDK_CORE_CHECK_GCE_METADATA: 'false',
    CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN: 'http://127.0.0.1:1/',
  };
  return new Promise((resolve, reject) => {
    const child = spawn('gcloud', args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    child.on('error', reject);
    child.on('close', () => resolve(text));
  });
}

(missing ? describe.skip : describe)(`gcloud understands${missing}`, () => {
  it.each([
    ['which services run an app', gcloud.services('agent-host', place)],
    ['how a service is', gcloud.service('ingress', place)],
    ['how a revision is', gcloud.revision('ingress-00001', place)],
    ['to deploy without traffic', gcloud.deploy('ingress', 'europe-west1-docker.pkg.dev/p/rockpool/ingress:x', 'c-x', place)],
    ['to shift traffic', gcloud.shift('ingress', { 'ingress-00001': 90, 'ingress-00002': 10 }, place)],
    ['to remove a tag', gcloud.untag('ingress', 'c-x', place)],
  ])('%s', async (_what, args) => {
    expect(await said(args)).toContain('You do not currently have an active account selected');
  });

  it('and does not say so of what it does not know', async () => {
    expect(await said([...gcloud.service('ingress', place), '--no-such-thing'])).toContain('unrecognized arguments');
  });
});
