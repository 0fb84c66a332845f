import { beforeEach, describe, expect, it } from '@jest/globals';
import { RetryLater, type ConversationId, type TenantId } from '@rockpool/contracts';
import { FairPlaces, Wakes, type DriveResult } from '@rockpool/conversations';
import type { DriveSignals } from './agent-host.js';
import { ConversationDriver } from './conversation-driver.js';

const tenantId = 'alice' as TenantId;
const conversationId = 'telegram:1:1' as ConversationId;

class HeardWakes extends Wakes {
  readonly heard: string[] = [];
  override async wake(tenant: TenantId, conversation: ConversationId): Promise<void> {
    this.heard.push(`${tenant}/${conversation}`);
  }
}

describe('the driver of a conversation', () => {
  let wakes: HeardWakes;
  let answer: (signals: DriveSignals) => Promise<DriveResult>;
  let driver: ConversationDriver;
  const delivery = (attempt = 1) => ({ attempt, signal: new AbortController().signal });
  const drive = (attempt?: number, wakeId = 'w1') => driver.drive({ tenantId, conversationId, wakeId }, delivery(attempt));

  beforeEach(() => {
    wakes = new HeardWakes();
    answer = async () => ({ kind: 'drained' });
    const host = { drive: (_request: unknown, signals: DriveSignals) => answer(signals) };
    const places = new FairPlaces({ total: 10, perTenant: 10, waitingPerTenant: 10 });
    driver = new ConversationDriver(host, places, wakes, new AbortController().signal);
  });

  it('acknowledges a wake whose conversation is drained, or held by another wake', async () => {
    await drive();
    answer = async () => ({ kind: 'held', ownWake: false, retryAfterMs: 1 });
    await drive();
  });

  it('has a wake come back when its turn wants to, and when an earlier delivery of it may be at work', async () => {
    answer = async () => ({ kind: 'retry', retryAfterMs: 700, reason: 'the model is busy' });
    await expect(drive()).rejects.toMatchObject({ afterMs: 700 });
    answer = async () => ({ kind: 'held', ownWake: true, retryAfterMs: 800 });
    await expect(drive()).rejects.toMatchObject({ afterMs: 800 });
  });

  it('replaces a wake that was asked to wait fifty times, so that the bus never gives it up', async () => {
    answer = async () => {
      throw new RetryLater(1_000, 'the host is busy');
    };
    await expect(drive(49)).rejects.toMatchObject({ afterMs: 1_000 });
    expect(wakes.heard).toEqual([]);
    await drive(50);
    expect(wakes.heard).toEqual([`${tenantId}/${conversationId}`]);
  });

  it('does not replace a wake that failed, nor one that waits for its own lease', async () => {
    answer = async () => {
      throw new Error('a fault');
    };
    await expect(drive(99)).rejects.toThrow('a fault');
    answer = async () => ({ kind: 'held', ownWake: true, retryAfterMs: 800 });
    await expect(drive(99)).rejects.toMatchObject({ afterMs: 800 });
    expect(wakes.heard).toEqual([]);
  });

  it('acknowledges a second wake while the first one waits, and pushes it once the first one is under way', async () => {
    const begin = Promise.withResolvers<void>();
    const end = Promise.withResolvers<void>();
    let pushes = 0;
    answer = async ({ onBegin }) => {
      pushes++;
      await begin.promise;
      onBegin();
      await end.promise;
      return { kind: 'drained' };
    };
    const first = drive(1, 'w1');
    await drive(1, 'w2');
    expect(pushes).toBe(1);
    begin.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    const third = drive(1, 'w3');
    expect(pushes).toBe(2);
    end.resolve();
    await Promise.all([first, third]);
  });
});
