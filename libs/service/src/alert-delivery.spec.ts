import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Documents } from '@rockpool/cloud';
import { Database, SqliteDocuments } from '@rockpool/cloud-embedded';
import { ManualClock } from '@rockpool/cloud/testing';
import { AlertDelivery, type OperatorChannel, type OperatorNotice } from './alert-delivery.js';
import { Alerts, type Alert } from './alerts.js';

const minute = 60_000;
const hour = 60 * minute;

let folder: string;
let database: Database;
let documents: Documents;
let clock: ManualClock;
let alerts: Alerts;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-alert-delivery-'));
  database = Database.open(join(folder, 'state.db'), { synchronous: 'OFF' });
  documents = new SqliteDocuments(database, []);
  // Documents expire by the time of the machine.
  clock = new ManualClock(Date.parse('2040-03-01T12:00:00Z'));
  alerts = new Alerts(documents, clock.now);
});
afterEach(async () => {
  (documents as SqliteDocuments).close();
  await database.close();
  await rm(folder, { recursive: true });
});

/** A way to operators that can be down. */
class Pager implements OperatorChannel {
  readonly told: OperatorNotice[] = [];
  isDown = false;
  after: () => Promise<void> | void = () => undefined;

  constructor(readonly name = 'pager') {}

  async tell(notice: OperatorNotice): Promise<void> {
    if (this.isDown) throw new Error('the pager does not answer (token 123456:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghi)');
    this.told.push(notice);
    await this.after();
  }
  get phases(): string[] {
    return this.told.map(({ phase }) => phase);
  }
  get texts(): string {
    return this.told.map(({ text }) => text).join('\n');
  }
}

const deliveryOver = (...ways: Pager[]) => new AlertDelivery(documents, alerts, async () => ways, clock.now);
const live = () => new AbortController().signal;
const full = { id: 'disk', subject: 'the disk', reason: 'it is full', remedy: 'make room' };

/** Sweeps once a minute for so long. */
async function passes(ms: number, ...ways: Pager[]): Promise<void> {
  const delivery = deliveryOver(...ways);
  for (let left = ms; left > 0; left -= minute) {
    clock.advance(Math.min(minute, left));
    await delivery.run(live());
  }
}

describe('an alert', () => {
  it('is told of when it begins, once a day while it lasts, and when it is over', async () => {
    const pager = new Pager();
    await alerts.raise(full);
    await passes(23 * hour, pager);
    expect(pager.phases).toEqual(['begun']);
    await passes(26 * hour, pager);
    expect(pager.phases).toEqual(['begun', 'reminder', 'reminder']);
    await alerts.clear('disk');
    await passes(hour, pager);
    expect(pager.phases).toEqual(['begun', 'reminder', 'reminder', 'over']);
    expect(new Set(pager.told.map(({ id }) => id)).size).toBe(4);
    expect(pager.told[0]!.text).toMatch(/^🔴 Rockpool: the disk\nit is full \(since 2040-03-01T12:00:00\.000Z\)\nWhat to do: make room$/);
    expect(pager.told[3]!.text).toMatch(/^🟢 Rockpool: the disk is well again/);
  });

  it('is told of once, however many raise it and however often', async () => {
    const pager = new Pager();
    for (let n = 0; n < 10; n++) {
      await Promise.all(Array.from({ length: 5 }, () => new Alerts(documents, clock.now).raise({ ...full, reason: `${n} bytes left` })));
      await passes(minute, pager);
    }
    expect(pager.phases).toEqual(['begun']);
  });

  it('is told of once over two schedulers that come at the same moment', async () => {
    const pager = new Pager();
    await alerts.raise(full);
    const gate = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    pager.after = () => {
      entered.resolve();
      return gate.promise;
    };
    const first = deliveryOver(pager).run(live());
    await entered.promise;
    expect(await deliveryOver(pager).run(live())).toBe(0);
    gate.resolve();
    expect(await first).toBe(1);
    expect(await deliveryOver(pager).run(live())).toBe(0);
    expect(pager.phases).toEqual(['begun']);
  });

  it('that comes and goes within two minutes is one, and is told of once', async () => {
    const pager = new Pager();
    for (let n = 0; n < 30; n++) {
      await alerts.raise(full);
      await passes(minute, pager);
      await alerts.clear('disk');
      await passes(minute, pager);
    }
    expect(pager.phases).toEqual(['begun']);
    await passes(hour, pager);
    expect(pager.phases).toEqual(['begun', 'over']);
  });

  it('that begins again later is told of again, as another', async () => {
    const pager = new Pager();
    for (let n = 0; n < 2; n++) {
      await alerts.raise(full);
      await passes(5 * minute, pager);
      await alerts.clear('disk');
      await passes(5 * minute, pager);
    }
    expect(pager.phases).toEqual(['begun', 'over', 'begun', 'over']);
    expect(new Set(pager.told.map(({ id }) => id)).size).toBe(4);
  });

  it('that was over before anybody could be told is told of as that', async () => {
    const pager = new Pager();
    await alerts.raise(full);
    clock.advance(hour);
    await alerts.clear('disk');
    await passes(10 * minute, pager);
    expect(pager.phases).toEqual(['over']);
  });

  it('is told again under the same id when the process died before it could write down that it was told', async () => {
    const pager = new Pager();
    await alerts.raise(full);
    const died = Promise.withResolvers<void>();
    pager.after = () => {
      died.resolve();
      return new Promise(() => undefined);
    };
    void deliveryOver(pager).run(live());
    await died.promise;
    pager.after = () => undefined;
    expect(await deliveryOver(pager).run(live())).toBe(0);
    // The turn of the dead process runs out.
    await documents.set('alert-turns/pager', { holder: 'dead', until: 0 });
    expect(await deliveryOver(pager).run(live())).toBe(1);
    expect(pager.told[0]!.id).toBe(pager.told[1]!.id);
    expect(await deliveryOver(pager).run(live())).toBe(0);
  });

  it('says nothing that looks like a secret, and no more than operators can read', async () => {
    const pager = new Pager();
    await alerts.raise({ ...full, reason: `Bearer abcdef0123456789 and 123456:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghi ${'x'.repeat(5_000)}` });
    await passes(minute, pager);
    expect(pager.texts).not.toMatch(/abcdef0123456789|123456:ABC/);
    expect(pager.texts.length).toBeLessThan(1_000);
  });
});

describe('a way to operators', () => {
  it('that is down is told when it is back, and the others not again', async () => {
    const [pager, phone] = [new Pager('pager'), new Pager('phone')];
    pager.isDown = true;
    await alerts.raise(full);
    await passes(10 * minute, pager, phone);
    expect(pager.told).toEqual([]);
    expect(phone.told.map(({ alerts: [id] }) => id)).toEqual(['disk', 'operators-pager']);
    expect(phone.texts).toContain('telling operators through pager');
    expect(phone.texts).not.toContain('123456:');
    pager.isDown = false;
    await passes(10 * minute, pager, phone);
    expect(pager.told.map(({ alerts: [id] }) => id)).toEqual(['disk']);
    expect(phone.phases).toEqual(['begun', 'begun', 'over']);
  });

  it('gets one message for a storm, and each alert is told of by it', async () => {
    const pager = new Pager();
    for (let n = 0; n < 50; n++) await alerts.raise({ ...full, id: `disk-${n}`, subject: `disk ${n}` });
    await passes(5 * minute, pager);
    expect(pager.phases).toEqual(['summary']);
    expect(pager.texts).toMatch(/50 alerts at once: 50 began, 0 last, 0 are over/);
    expect(pager.texts.split('\n').length).toBeLessThan(15);
    expect(pager.told[0]!.alerts).toHaveLength(50);
    for (let n = 0; n < 50; n++) await alerts.clear(`disk-${n}`);
    await passes(5 * minute, pager);
    expect(pager.phases).toEqual(['summary', 'summary']);
  });

  it('is not used by a run that was told to stop', async () => {
    const pager = new Pager();
    await alerts.raise(full);
    expect(await deliveryOver(pager).run(AbortSignal.abort())).toBe(0);
    expect(await deliveryOver(pager).run(live())).toBe(1);
  });
});

describe('alerts that somebody looks after', () => {
  it('are raised and cleared together, and those of others are left alone', async () => {
    await alerts.raise({ ...full, id: 'other-1' });
    await alerts.settle('disk-', [
      { ...full, id: 'disk-1' },
      { ...full, id: 'disk-2' },
    ]);
    await alerts.settle('disk-', [{ ...full, id: 'disk-2', reason: 'fuller' }]);
    const lasting = (await alerts.list()).filter(({ overAt }) => overAt === undefined).map(({ id, reason }) => [id, reason]);
    expect(lasting).toEqual([
      ['disk-2', 'fuller'],
      ['other-1', 'it is full'],
    ]);
    expect(await alerts.lasting('disk-1')).toBe(false);
  });

  it('keep what was told of them when they are raised again, and when they are over', async () => {
    const pager = new Pager();
    await alerts.raise(full);
    await passes(minute, pager);
    await alerts.raise({ ...full, reason: 'fuller' });
    await alerts.clear('disk');
    expect((await documents.get<Alert>('alerts/disk'))?.data.told).toMatchObject({ pager: { phase: 'begun' } });
  });
});
