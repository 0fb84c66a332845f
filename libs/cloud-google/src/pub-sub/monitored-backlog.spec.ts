import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { gate, messageOf, Recorder, subscriptionFor } from '@rockpool/cloud/testing';
import { codeOf } from '@rockpool/contracts';
import { startPubSubFake } from '@rockpool/testkit';
import { PassThroughClient } from 'google-auth-library';
import { MonitoredBacklog } from './monitored-backlog.js';
import { PubSubMessageBus } from './pub-sub-message-bus.js';

describe('the backlog as Cloud Monitoring has it', () => {
  let server: Server;
  let asked: URL[];
  let answer: (url: URL) => { status: number; body: object };
  let now: number;
  let backlog: MonitoredBacklog;

  beforeEach(async () => {
    asked = [];
    now = Date.parse('2026-03-01T12:00:00Z');
    server = createServer((request, response) => {
      const url = new URL(request.url!, 'http://127.0.0.1');
      asked.push(url);
      const { status, body } = answer(url);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    backlog = new MonitoredBacklog({ projectId: 'rockpool-test', baseUrl, authClient: new PassThroughClient(), now: () => now });
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const points = (value: string) => ({
    status: 200,
    body: { timeSeries: [{ points: [{ value: { int64Value: value } }, { value: { int64Value: '0' } }] }] },
  });

  it('is the newest measurement of the subscription, in all processes', async () => {
    answer = (url) => points(url.searchParams.get('filter')!.includes('num_undelivered_messages') ? '17' : '3');
    expect(await backlog.figures('inbound-messages.dispatcher')).toEqual({ backlog: 17, oldestAgeMs: 3_000 });
    expect(asked[0]!.pathname).toBe('/v3/projects/rockpool-test/timeSeries');
    for (const { searchParams } of asked) {
      expect(searchParams.get('filter')).toMatch(/subscription_id="inbound-messages.dispatcher"$/);
      expect(searchParams.get('interval.endTime')).toBe('2026-03-01T12:00:00.000Z');
    }
  });

  it('is asked for twice a minute at most', async () => {
    answer = () => points('1');
    await backlog.figures('a.b');
    await backlog.figures('a.b');
    expect(asked).toHaveLength(2);
    now += 30_000;
    await backlog.figures('a.b');
    expect(asked).toHaveLength(4);
  });

  it('is nothing to tell while nothing was measured, and for a process that may not look', async () => {
    answer = () => ({ status: 200, body: {} });
    expect(await backlog.figures('a.b')).toBeUndefined();
    answer = () => ({ status: 403, body: { error: { code: 403, message: 'no' } } });
    expect(await backlog.figures('c.d')).toBeUndefined();
  });

  it('is what the bus tells, of dead letters too, and never less than what is in hand', async () => {
    const measured: Record<string, string> = {
      'inbound-messages.test': '0',
      'inbound-messages.test.dead': '5',
      'conversation-wakes.test': '7',
    };
    answer = (url) => points(measured[/subscription_id="(.*)"/.exec(url.searchParams.get('filter')!)![1]!] ?? '0');
    const fake = await startPubSubFake();
    const specs = [subscriptionFor('inbound-messages.test'), subscriptionFor('conversation-wakes.test', { topic: 'conversation-wakes' })];
    const options = { projectId: 'rockpool-test', endpoint: fake.host, subscriptions: specs, createTopology: true };
    const bus = await PubSubMessageBus.open({ ...options, monitor: backlog });
    const held = gate();
    const recorder = new Recorder(() => held.opened.then(() => ({ kind: 'ack' })));
    await bus.subscribe(specs[0]!, recorder.handle);
    await bus.publish(messageOf('in hand'));
    await recorder.began(1);
    expect(await bus.stats('inbound-messages.test')).toMatchObject({ backlog: 1, deadLetters: 5 });
    expect(await bus.stats('conversation-wakes.test')).toEqual({ backlog: 7, oldestAgeMs: 7_000, deadLetters: 0 });
    held.open();
    await bus.close();
    await fake.stop();
  });

  it('is unavailable when Monitoring is', async () => {
    answer = () => ({ status: 400, body: { error: { code: 400, message: 'no' } } });
    expect(await backlog.figures('a.b').catch(codeOf)).toBe('unavailable');
  });
});
