import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from '@jest/globals';
import { freePort, startProcess, type ProcessOptions, type RunningProcess } from './launch.js';

const server = `
  const { writeFileSync, existsSync } = require('node:fs');
  const file = process.env.ROCKPOOL_DATA_DIR + '/seen';
  console.log(existsSync(file) ? 'again' : 'first', 'options:' + (process.env.NODE_OPTIONS ?? 'none'), process.env.EXTRA ?? '');
  writeFileSync(file, '');
  process.on('SIGTERM', () => { console.log('bye'); process.exit(3); });
  require('node:http').createServer((_, response) => response.end('ok')).listen(Number(process.env.PORT), '127.0.0.1');
`;

describe('a process that is started', () => {
  let started: RunningProcess | undefined;
  afterEach(() => started?.stop());

  async function start(script: string, options: Partial<ProcessOptions> = {}): Promise<RunningProcess> {
    started = await startProcess({ command: process.execPath, args: ['-e', script], ...options });
    return started;
  }
  async function startServer(): Promise<RunningProcess> {
    const port = await freePort();
    return start(server, { env: { PORT: String(port) }, readyUrl: `http://127.0.0.1:${port}/readyz` });
  }

  it('is ready when its address answers, in an environment of its own', async () => {
    const running = await startServer();
    expect(running.pid).toEqual(expect.any(Number));
    expect(running.lines[0]).toBe('first options:none ');
  });

  it('is ready when it prints the line', async () => {
    const running = await start(`console.log('ready now'); setInterval(() => {}, 1000)`, { readyLine: /^ready/ });
    expect(running.lines).toEqual(['ready now']);
  });

  it('restarts on the same data after a kill, with another setting', async () => {
    const running = await startServer();
    await running.restart('SIGKILL', { EXTRA: 'more' });
    expect(running.lines[1]).toBe('again options:none more');
  });

  it('tells how it ended', async () => {
    const running = await startServer();
    expect(await running.kill('SIGTERM')).toEqual({ code: 3, signal: null });
    expect(await running.waitForLine(/^bye$/)).toBe('bye');
    await running.start();
    expect(await running.kill()).toEqual({ code: null, signal: 'SIGKILL' });
    expect(running.pid).toBeUndefined();
  });

  it('takes with it what it started, and its data folder', async () => {
    const running = await start(
      `require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
       console.log('ready'); setInterval(() => {}, 1000)`,
      { readyLine: /^ready/ },
    );
    // Its end is the end of its output, which its child holds open as long as it lives.
    await running.stop();
    expect([running.isRunning, existsSync(running.dataDir)]).toEqual([false, false]);
  });

  it('ends with the process that started it, even when that one is killed', async () => {
    const launcher = `
      import { startProcess } from '${new URL('./launch.ts', import.meta.url).pathname}';
      const { pid } = await startProcess({ command: process.execPath, args: ['-e', 'console.log("up"); setInterval(() => {}, 1000)'], readyLine: /up/, dataDir: process.env.ROCKPOOL_DATA_DIR });
      console.log('grandchild ' + pid);
    `;
    const running = await start('', {
      args: ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', launcher],
      readyLine: /^grandchild/,
    });
    const grandchild = Number(running.lines.find((line) => line.startsWith('grandchild'))!.split(' ')[1]);
    process.kill(running.pid!, 'SIGKILL');
    await running.exited;
    const isAlive = (): boolean => {
      try {
        return process.kill(grandchild, 0);
      } catch {
        return false;
      }
    };
    while (isAlive()) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('says why it did not become ready', async () => {
    await expect(start(`console.error('no database'); process.exit(78)`, { readyLine: /ready/ })).rejects.toThrow(
      /ended with 78[^]*no database/,
    );
    await expect(start(`console.log('still busy'); setInterval(() => {}, 1000)`, { readyLine: /ready/, timeoutMs: 500 })).rejects.toThrow(
      /not ready within 500 ms[^]*still busy/,
    );
    await expect(start('', { command: 'no-such-command', readyLine: /never/ })).rejects.toThrow(/no-such-command: not found/);
  });
});
