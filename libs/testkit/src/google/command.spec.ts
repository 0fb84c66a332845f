import { describe, expect, it } from '@jest/globals';
import { freePort } from '../launch.js';
import { type GoogleFakesReady, runGoogleFakes } from './command.js';

/** The command with these arguments, running: what it printed, and its end. */
async function run(...argv: string[]): Promise<{ ready: Promise<GoogleFakesReady>; end: () => Promise<number>; errors: () => string }> {
  const ending = Promise.withResolvers<void>();
  const line = Promise.withResolvers<GoogleFakesReady>();
  let errors = '';
  const code = runGoogleFakes(argv, {
    output: (text) => line.resolve(JSON.parse(text) as GoogleFakesReady),
    error: (text) => void (errors += text),
    ended: ending.promise,
  });
  const end = () => {
    ending.resolve();
    return code;
  };
  return { ready: line.promise, end, errors: () => errors };
}

describe('the command', () => {
  it('prints where everything listens, on the ports that were asked for, and ends when it is told to', async () => {
    const [storagePort, metadataPort] = [await freePort(), await freePort()];
    const command = await run(
      '--project',
      'my-project',
      '--storage-port',
      String(storagePort),
      '--metadata-ports',
      `ingress=${metadataPort}`,
    );
    const ready = await command.ready;
    expect(ready).toMatchObject({ project: 'my-project', storage: `http://127.0.0.1:${storagePort}` });
    expect(ready.metadata).toEqual({ ingress: `127.0.0.1:${metadataPort}` });
    const email = await fetch(`http://${ready.metadata['ingress']}/computeMetadata/v1/instance/service-accounts/default/email`, {
      headers: { 'metadata-flavor': 'Google' },
    });
    expect(await email.text()).toBe('ingress@my-project.iam.gserviceaccount.com');
    expect(await (await fetch(ready.certs)).json()).toMatchObject({ keys: [{ alg: 'RS256' }] });
    expect(await command.end()).toBe(0);
    await expect(fetch(ready.certs)).rejects.toThrow('fetch failed');
  });

  it('has a metadata server for every app when none is named', async () => {
    const command = await run();
    expect(Object.keys((await command.ready).metadata)).toEqual(['ingress', 'dispatcher', 'agent-host', 'scheduler', 'console']);
    await command.end();
  });

  it('says so when a port is taken, and leaves nothing behind', async () => {
    const first = await run();
    const taken = new URL((await first.ready).storage).port;
    const certsPort = await freePort();
    const second = await run('--storage-port', taken, '--certs-port', String(certsPort));
    expect(await second.end()).toBe(1);
    expect(second.errors()).toContain('EADDRINUSE');
    await expect(fetch(`http://127.0.0.1:${certsPort}/`)).rejects.toThrow('fetch failed');
    await first.end();
  });

  it.each([
    ['--storage-port', 'eighty'],
    ['--tasks-port', '65536'],
    ['--metadata-ports', 'ingress'],
    ['--unknown', '1'],
  ])('refuses %s %s', async (...argv) => {
    const command = await run(...argv);
    expect(await command.end()).toBe(1);
    expect(command.errors()).not.toBe('');
  });
});
