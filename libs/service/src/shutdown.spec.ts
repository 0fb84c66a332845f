import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { Controller, Get, Inject, Module, type OnModuleDestroy } from '@nestjs/common';
import { subscriptions } from '@rockpool/contracts';
import { describe, expect, it } from '@jest/globals';
import { createLogger, Shutdown } from './index.js';
import { configuration, openCloud, Spans, start } from './testing/probe.js';
import { runShutdown } from './shutdown.js';

describe('the way down', () => {
  it('is ordered: signal, events, requests, the app, the cloud, traces', async () => {
    const order: string[] = [];
    const arrived = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<string>();

    @Controller()
    class Slow implements OnModuleDestroy {
      constructor(@Inject(Shutdown) shutdown: Shutdown) {
        shutdown.signal.addEventListener('abort', () => order.push('signal'));
        shutdown.onShutdown('first added', () => void order.push('action added first'));
        shutdown.onShutdown('last added', () => void order.push('action added last'));
      }
      @Get('slow')
      async slow() {
        arrived.resolve();
        return answer.promise;
      }
      onModuleDestroy() {
        order.push('module destroyed');
      }
    }
    @Module({ controllers: [Slow] })
    class App {}

    class Exporter extends Spans {
      override async close() {
        order.push('traces flushed');
      }
    }
    const cloud = await openCloud();
    const bus = await cloud.bus.subscribe(subscriptions.drive, async () => ({ kind: 'ack' }));
    const closeCloud = cloud.close.bind(cloud);
    const closing = { ...cloud, close: async () => (order.push('cloud closed'), bus.close().then(() => closeCloud())) };
    const service = await start(App, { cloud: closing, spans: new Exporter() });

    const response = fetch(`${service.url}/slow`).then((slow) => slow.text());
    await arrived.promise;
    const closed = service.close();
    expect(service.close()).toBe(closed);
    await expect(fetch(`${service.url}/healthz`)).rejects.toThrow();
    order.push('a request is still being answered');
    answer.resolve('done');
    expect(await response).toBe('done');
    expect(await closed).toBe(true);
    expect(order).toEqual([
      'signal',
      'a request is still being answered',
      'action added last',
      'action added first',
      'module destroyed',
      'cloud closed',
      'traces flushed',
    ]);
  });

  it('does not wait for a client that keeps its connection open', async () => {
    const arrived = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<string>();
    @Controller()
    class Slow {
      @Get('slow')
      async slow() {
        arrived.resolve();
        return answer.promise;
      }
    }
    @Module({ controllers: [Slow] })
    class App {}
    const service = await start(App);
    const agent = new Agent({ keepAlive: true });
    const first = once(get(`${service.url}/slow`, { agent }), 'response');
    await arrived.promise;
    const closed = service.close();
    answer.resolve('done');
    const [response] = await first;
    expect([response.statusCode, await text(response)]).toEqual([200, 'done']);
    expect(await closed).toBe(true);
    agent.destroy();
  });

  it('cuts off a request that does not end in its time, and says that it had to', async () => {
    const arrived = Promise.withResolvers<void>();
    @Controller()
    class Stuck {
      @Get('stuck')
      stuck() {
        arrived.resolve();
        return new Promise(() => undefined);
      }
    }
    @Module({ controllers: [Stuck] })
    class App {}
    const service = await start(App, { config: configuration({ ROCKPOOL_SHUTDOWN_TIMEOUT_MS: '200' }) });
    const response = fetch(`${service.url}/stuck`);
    const cut = expect(response).rejects.toThrow();
    await arrived.promise;
    expect(await service.close()).toBe(false);
    await cut;
  });

  it('goes on after a step that fails or never ends', async () => {
    const lines: string[] = [];
    const log = createLogger({ service: 'spec', level: 'info', format: 'json', destination: { write: (line) => lines.push(line) } });
    const done: string[] = [];
    const clean = await runShutdown(
      [
        { name: 'fails', until: 1, run: () => Promise.reject(new Error('no')) },
        { name: 'hangs', until: 0.01, run: () => new Promise(() => undefined) },
        { name: 'ends', until: 1, run: () => void done.push('ends') },
      ],
      1_000,
      log,
    );
    expect([clean, done]).toEqual([false, ['ends']]);
    expect(lines.map((line) => (JSON.parse(line) as { step: string }).step)).toEqual(['fails', 'hangs']);
  });
});

describe('a process', () => {
  /** Runs the real signal handling around a service whose end is up to the test. */
  async function child(close: string) {
    const program = `
      import { onProcessEnd } from ${JSON.stringify(new URL('./process-signals.ts', import.meta.url).href)};
      const hangUp = new Promise((resolve) => process.once('SIGHUP', () => resolve(true)));
      const log = { info() {}, fatal: (fields, message) => console.log('fatal', fields.error.message) };
      onProcessEnd({ close: () => { console.log('closing'); return ${close}; }, log });
      setInterval(() => {}, 1000);
      process.on('SIGUSR2', () => { throw new Error('nobody catches me'); });
      console.log('ready');
    `;
    const running = spawn(process.execPath, ['--input-type=module-typescript', '--eval', program], { stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    const said = (words: string) =>
      new Promise<void>((resolve) => {
        const check = () => output.stdout.includes(words) && resolve();
        running.stdout.on('data', check);
        check();
      });
    running.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
    running.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
    const exited = once(running, 'close') as Promise<[number | null]>;
    await said('ready');
    return { running, said, output, exited };
  }

  it.each([
    ['Promise.resolve(true)', 0],
    ['Promise.resolve(false)', 1],
  ])('that is told to stop closes its service and exits, %s with %i', async (close, code) => {
    const { running, exited, output } = await child(close);
    running.kill('SIGTERM');
    expect((await exited)[0]).toBe(code);
    expect(output.stdout).toBe('ready\nclosing\n');
  });

  it('stops at once on the second signal and says so', async () => {
    const { running, said, exited, output } = await child('new Promise(() => {})');
    running.kill('SIGTERM');
    await said('closing');
    running.kill('SIGINT');
    expect((await exited)[0]).toBe(130);
    expect(output.stderr).toContain('second signal (SIGINT): stopped at once');
  });

  it('takes the Ctrl-C of the terminal and the one that npm passes on for one', async () => {
    const { running, said, exited, output } = await child('hangUp');
    running.kill('SIGINT');
    await said('closing');
    running.kill('SIGINT');
    running.kill('SIGHUP');
    expect((await exited)[0]).toBe(0);
    expect(output.stderr).toBe('');
  });

  it('ends with a log line when nobody caught an error', async () => {
    const { running, exited, output } = await child('Promise.resolve(true)');
    running.kill('SIGUSR2');
    expect((await exited)[0]).toBe(1);
    expect(output.stdout).toBe('ready\nfatal nobody catches me\n');
  });
});

async function text(response: AsyncIterable<Buffer>): Promise<string> {
  let whole = '';
  for await (const chunk of response) whole += chunk.toString();
  return whole;
}
