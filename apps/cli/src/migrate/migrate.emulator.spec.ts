import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Cloud, MessageBus, Verdict } from '@rockpool/cloud';
import { openEmbeddedCloud, type EmbeddedCloud } from '@rockpool/cloud-embedded';
import { expiryOf } from '@rockpool/cloud-google';
import { queues, subscriptions, type SubscriptionSpec, type TenantId } from '@rockpool/contracts';
import { indexes, openEngine } from '@rockpool/platform';
import { parseConfig, type PlatformConfig } from '@rockpool/service';
import { TenantDirectory, tenantsFile, Tenants } from '@rockpool/tenancy';
import {
  borrowFirestoreEmulator,
  findEmulators,
  startCloudTasksFake,
  startPubSubFake,
  startSecretManagerFake,
  startStorageFake,
  type SecretManagerFake,
  type StorageFake,
} from '@rockpool/testkit';
import { migrationFile, whyNotToStart } from './migration-record.js';
import type { MigrationStep } from './migration.js';
import { moveFolder, type Moved, type MoveOptions } from './move-folder.js';

const { missing } = findEmulators().firestore;
const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const inAYear = new Date(Date.now() + 365 * 86_400_000);
const conversation = 'tenants/alice/conversations/telegram:1';

(missing === undefined ? describe : describe.skip)(
  `a data folder that moves to Google Cloud${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let endpoints: Record<string, string>;
    let secretManager: SecretManagerFake;
    let storage: StorageFake;
    const fakes: { stop(): Promise<void> }[] = [];
    let folder: string;
    let project = 0;
    let config: PlatformConfig;
    const closing: (() => Promise<void>)[] = [];

    beforeAll(async () => {
      const [firestore, pubsub, tasks] = await Promise.all([
        borrowFirestoreEmulator(),
        startPubSubFake(),
        startCloudTasksFake({ mint: async () => 'token' }),
      ]);
      [secretManager, storage] = await Promise.all([startSecretManagerFake(), startStorageFake()]);
      fakes.push(firestore, pubsub, tasks, secretManager, storage);
      endpoints = {
        FIRESTORE_EMULATOR_HOST: firestore.host,
        PUBSUB_EMULATOR_HOST: pubsub.host,
        ROCKPOOL_TASKS_ENDPOINT: tasks.host,
        ROCKPOOL_SECRETS_ENDPOINT: secretManager.host,
        STORAGE_EMULATOR_HOST: storage.url,
      };
    });

    afterAll(async () => {
      await Promise.all(fakes.map((fake) => fake.stop()));
    });

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'rockpool-migrate-'));
      config = configFor(`pond-${++project}`);
      await fill();
    });

    afterEach(async () => {
      for (const close of closing.splice(0).reverse()) await close();
      await rm(folder, { recursive: true });
    });

    function configFor(projectId: string): PlatformConfig {
      const parsed = parseConfig({
        ROCKPOOL_ENGINE: 'google',
        GOOGLE_CLOUD_PROJECT: projectId,
        ROCKPOOL_DATA_DIR: join(folder, 'data'),
        ROCKPOOL_KEY_FILE: join(folder, 'keys', 'master.key'),
        ...endpoints,
      });
      return (parsed as { config: PlatformConfig }).config;
    }

    async function openSource(): Promise<EmbeddedCloud> {
      return openEmbeddedCloud({
        dataDir: config.ROCKPOOL_DATA_DIR,
        keyFile: config.ROCKPOOL_KEY_FILE,
        baseUrl: () => 'http://127.0.0.1:1',
        subscriptions: Object.values(subscriptions),
        indexes,
        queues: Object.values(queues),
      });
    }

    /** Works on the source as a running instance would, and stops it. */
    async function atSource(work: (cloud: EmbeddedCloud) => Promise<unknown>): Promise<void> {
      const cloud = await openSource();
      try {
        await work(cloud);
      } finally {
        await cloud.close(0);
      }
    }

    async function fill(): Promise<void> {
      await atSource(async ({ documents, secrets, blobs }) => {
        const directory = new TenantDirectory(documents, secrets);
        const channels = { telegram: { botToken: 'secret://alice/bot', webhookSecret: 'secret://alice/hook', dmPolicy: 'open' } };
        await directory.apply(
          await directory.plan(tenantsFile.parse({ tenants: { alice: { channels } } }), { 'alice/bot': '1:first', 'alice/hook': 'hook' }),
        );
        await secrets.put({ tenant: 'alice', field: 'bot' }, '1:second');
        const lease = { holder: 'dead', token: 3, expiresAt: Date.now() + 60_000, wakeId: 'w' };
        await documents.set(conversation, { tenantId: 'alice', lastSeq: 2, fence: 3, lease });
        await documents.set(`${conversation}/messages/000000001`, { n: 1, role: 'user', text: 'Hello 🦀' });
        await documents.set(`${conversation}/messages/000000002`, { n: 2, role: 'assistant', text: 'x'.repeat(3_000), parts: [[1], []] });
        await documents.set(
          'tenants/alice/turns/telegram:1:1',
          { state: 'done', open: false, seq: 1, receivedAt: 1 },
          { expireAt: inAYear },
        );
        await documents.set('tenants/alice/turns/telegram:1:2', { state: 'pending', open: true, seq: 2, receivedAt: 2 });
        await documents.set('tenants/alice/turns/telegram:1:0', { state: 'done', open: false }, { expireAt: new Date(1_000) });
        await documents.set('tenants/alice/schedules/daily', { state: 'active', armedAt: Date.now() + 1e7, hop: 1, busyUntil: 5 });
        await blobs.put('alice/files/a.txt', Buffer.from('a file'), { contentType: 'text/plain' });
      });
    }

    interface Following extends Partial<Omit<MoveOptions, 'signal'>> {
      /** Told of every batch; its `stop` is Ctrl-C. */
      readonly onBatch?: (step: MigrationStep, stop: () => void) => void;
    }

    async function move({ onBatch, ...options }: Following = {}): Promise<Moved> {
      const controller = new AbortController();
      return moveFolder(
        config,
        { force: false, merge: false, dryRun: false, ...options, signal: controller.signal },
        {
          agrees: async () => true,
          copied: (step) => onBatch?.(step, () => controller.abort()),
          compared: () => undefined,
        },
      );
    }

    /** Runs the built command line on this folder. */
    function rockpool(...args: string[]) {
      const { ROCKPOOL_DATA_DIR, ROCKPOOL_KEY_FILE, GOOGLE_CLOUD_PROJECT } = config;
      const settings = { ROCKPOOL_DATA_DIR, ROCKPOOL_KEY_FILE, GOOGLE_CLOUD_PROJECT, PORT: '0' };
      const watched = watch(ROCKPOOL_DATA_DIR);
      const child = spawn(process.execPath, [main, ...args], { env: { ...endpoints, ...settings }, stdio: ['ignore', 'pipe', 'pipe'] });
      const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]).then(([stdout, stderr, [code, signal]]) => {
        watched.close();
        return { stdout, stderr, code: code as unknown, signal: signal as unknown };
      });
      return {
        ended,
        kill: (signal: NodeJS.Signals) => child.kill(signal),
        /** Resolves once it has written down so often how far it is, or has ended. */
        async recorded(times: number): Promise<void> {
          const records = Promise.withResolvers<void>();
          watched.on('change', (_event, name) => name === 'migration.json' && --times <= 0 && records.resolve());
          await Promise.race([records.promise, ended]);
        },
      };
    }

    /** Opens the target as an app would. */
    async function openTarget(): Promise<Cloud> {
      const { cloud } = await openEngine(config, { service: 'dispatcher', baseUrl: () => '' });
      closing.push(() => cloud.close(0));
      return cloud;
    }

    it('is there afterwards: tenant, transcript, secrets in all their versions, files, and nobody holds anything', async () => {
      const outcome = await move();
      expect(outcome).toMatchObject({ moved: true, problems: [], comparison: { differenceCount: 0, differences: [] } });
      expect(outcome.plan).toMatchObject({ tenants: 1, secrets: 2, blobs: { count: 1, bytes: 6 }, openTurns: 1, unfinished: [] });
      expect(outcome.comparison!.kinds['tenants/<>/turns']).toMatchObject({ source: { count: 2 }, target: { count: 2 } });

      const { documents, secrets, blobs } = await openTarget();
      const tenants = new Tenants(documents);
      expect((await tenants.get('alice' as TenantId))?.spec.channels.telegram).toMatchObject({ botToken: 'secret://alice/bot' });
      tenants.close();
      expect((await documents.get(conversation))?.data).toEqual({ tenantId: 'alice', lastSeq: 2, fence: 3 });
      const transcript = await documents.query<{ text: string }>({ from: { collection: `${conversation}/messages` } });
      expect(transcript.items.map(({ data }) => data.text.slice(0, 8))).toEqual(['Hello 🦀', 'xxxxxxxx']);
      expect(expiryOf((await documents.get('tenants/alice/turns/telegram:1:1'))!)).toEqual(inAYear);
      expect((await documents.get('tenants/alice/schedules/daily'))?.data).not.toHaveProperty('busyUntil');
      expect(await secrets.getAll({ tenant: 'alice', field: 'bot' })).toEqual(['1:second', '1:first']);
      const { info, content } = await blobs.get('alice/files/a.txt');
      expect([info.contentType, await text(content)]).toEqual(['text/plain', 'a file']);

      expect(await whyNotToStart(config.ROCKPOOL_DATA_DIR)).toMatch(/was moved to project pond-\d+, .*To roll back, remove/);
      await atSource(async (source) => expect((await source.documents.get(conversation))?.data).toHaveProperty('lease'));
    });

    it('goes on after being stopped at each of its batches, also when the last of its notes were lost', async () => {
      const stoppedAt: MigrationStep[] = [];
      let notes: string | undefined;
      for (;;) {
        const stoppedBefore = stoppedAt.length;
        const attempt = move({
          onBatch(step, stop) {
            if (stoppedAt.length > stoppedBefore || stoppedAt.includes(step)) return;
            stoppedAt.push(step);
            stop();
          },
        });
        if (await attempt.then(({ moved }) => moved, () => false)) break; // prettier-ignore
        expect(stoppedAt.length).toBeGreaterThan(stoppedBefore);
        expect(await whyNotToStart(config.ROCKPOOL_DATA_DIR)).toContain('is being moved to');
        // The process died before it wrote down what it had just done.
        if (notes !== undefined) await writeFile(migrationFile(config.ROCKPOOL_DATA_DIR), notes);
        notes ??= await readFile(migrationFile(config.ROCKPOOL_DATA_DIR), 'utf8');
      }
      expect(stoppedAt).toEqual(['blobs', 'secrets', 'history', 'tenants', 'work']);
      const { documents } = await openTarget();
      expect((await documents.get('tenants/alice/turns/telegram:1:2'))?.data).toMatchObject({ open: true });
    });

    it('waits for services that are away for a while, and is not misled by an answer that was lost', async () => {
      const away = [
        secretManager.faults.add({ kind: 'status', status: 503, times: 6 }),
        storage.faults.add({ kind: 'status', status: 503, match: /^(get|upload)$/, times: 6 }),
      ];
      const lost = storage.faults.add({ kind: 'accept-then-drop', match: 'upload', times: 1 });
      expect(await move()).toMatchObject({ moved: true, comparison: { differenceCount: 0 } });
      expect([...away.map(({ hits }) => hits), lost.hits]).toEqual([6, 6, 1]);
      const { secrets } = await openTarget();
      expect(await secrets.getAll({ tenant: 'alice', field: 'bot' })).toEqual(['1:second', '1:first']);
    });

    it('goes on after its process was killed or interrupted, and says as a command how it went', async () => {
      await atSource(async ({ documents }) => {
        const messages = Array.from({ length: 500 }, (_, n) => `${conversation}/messages/${String(n + 10).padStart(9, '0')}`);
        await Promise.all(messages.map((path, n) => documents.set(path, { n, text: `Message ${n}` })));
      });
      for (const [signal, end] of [
        ['SIGKILL', { code: null, signal: 'SIGKILL' }],
        ['SIGINT', { code: 1, signal: null, stderr: expect.stringContaining('the same command goes on from there') }],
        ['SIGKILL', { code: null, signal: 'SIGKILL' }],
      ] as const) {
        const command = rockpool('migrate', '--yes');
        await command.recorded(2);
        command.kill(signal);
        expect(await command.ended).toMatchObject(end);
      }
      expect(await rockpool('start').ended).toMatchObject({ code: 1, stderr: expect.stringContaining('is being moved to') });
      const { code, stdout } = await rockpool('migrate', '--json').ended;
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ moved: true, plan: { openTurns: 1 }, comparison: { differenceCount: 0 } });
      const again = await rockpool('migrate').ended;
      expect(again.code).toBe(0);
      expect(again.stdout).toMatch(/tenants\/<>\/conversations\/<>\/messages +502 +502 +[0-9a-f]{12}\n/);
      expect(await rockpool('start').ended).toMatchObject({ code: 1, stderr: expect.stringContaining('was moved to') });

      const { documents } = await openTarget();
      await documents.delete(`${conversation}/messages/000000123`);
      const found = await rockpool('migrate').ended;
      expect(found.code).toBe(1);
      expect(found.stdout).toContain(`missing: ${conversation}/messages/000000123\n`);
    });

    it('finds what was changed, lost or added over there, names it, and puts nothing back', async () => {
      await move();
      const { documents, secrets, blobs } = await openTarget();
      const message = `${conversation}/messages/000000001`;
      await documents.set(message, { n: 1, role: 'user', text: 'Goodbye' });
      await documents.set('tenants/alice/turns/telegram:1:1', { state: 'done', open: false, seq: 1, receivedAt: 1 });
      await documents.delete(`${conversation}/messages/000000002`);
      await documents.set(`${conversation}/messages/000000003`, { n: 3 });
      await secrets.put({ tenant: 'alice', field: 'hook' }, 'another');
      await blobs.put('alice/files/a.txt', Buffer.from('b file'), { contentType: 'text/plain' });

      const differences = [
        { what: 'different', path: message },
        { what: 'missing', path: `${conversation}/messages/000000002` },
        { what: 'extra', path: `${conversation}/messages/000000003` },
        // Its expiry.
        { what: 'different', path: 'tenants/alice/turns/telegram:1:1' },
        { what: 'different', path: 'secret://alice/hook' },
        { what: 'different', path: 'alice/files/a.txt' },
      ];
      const found = await move();
      expect(found).toMatchObject({ moved: false, comparison: { differenceCount: 6, differences } });
      expect(JSON.stringify(found)).not.toContain('another');
      expect((await documents.get(message))?.data).toMatchObject({ text: 'Goodbye' });
      expect(await documents.get(`${conversation}/messages/000000002`)).toBeUndefined();
    });

    it('is not through while the target has something else in a place, and is once that is put right', async () => {
      const { documents } = await openTarget();
      await documents.set('tenants/alice/schedules/daily', { state: 'paused' });
      const differences = [{ what: 'different', path: 'tenants/alice/schedules/daily' }];
      expect(await move()).toMatchObject({ moved: false, comparison: { differences } });
      expect(await whyNotToStart(config.ROCKPOOL_DATA_DIR)).toContain('is being moved to');
      await documents.delete('tenants/alice/schedules/daily');
      expect(await move()).toMatchObject({ moved: true, comparison: { differences: [] } });
    });

    it('refuses a target with tenants of others, unless they are to stay beside its own', async () => {
      const { documents } = await openTarget();
      await documents.set('tenants/bob', { status: 'active' });
      expect(await move()).toMatchObject({ moved: false, plan: { refusals: [expect.stringContaining('tenants/bob')] } });
      await documents.set('tenants/alice', { status: 'active', spec: 'of another Alice' });
      expect(await move({ merge: true })).toMatchObject({
        moved: false,
        plan: { refusals: [expect.stringContaining('of the same name (tenants/alice)')] },
      });
      await documents.delete('tenants/alice');
      expect(await move({ merge: true })).toMatchObject({ moved: true });
      expect((await documents.get('tenants/bob'))?.data).toEqual({ status: 'active' });
    });

    it('only looks when it is a dry run', async () => {
      expect(await move({ dryRun: true })).toMatchObject({ moved: false, plan: { refusals: [], tenants: 1 } });
      const { documents } = await openTarget();
      expect((await documents.query({ from: { collection: 'migrations' } })).items).toEqual([]);
      expect(await whyNotToStart(config.ROCKPOOL_DATA_DIR)).toBeUndefined();
    });

    it('refuses to go to a second target before the first is done with', async () => {
      await move({ onBatch: (_step, stop) => stop() }).catch(() => undefined);
      config = configFor('elsewhere');
      expect((await move()).plan.refusals).toEqual([expect.stringMatching(/on its way to project pond-\d+.*not to project elsewhere/)]);
    });

    it('refuses what is under way, and leaves dead letters behind only when told to', async () => {
      await atSource(async ({ bus, documents }) => {
        await documents.set('tenants/alice/turns/telegram:1:2', { state: 'running', open: true, seq: 2, receivedAt: 2 });
        await bus.publish({ topic: 'conversation-wakes', body: Buffer.from('{}'), attributes: {} });
        await bury(bus, 'event-7');
      });
      expect((await move({ dryRun: true })).plan).toMatchObject({
        unfinished: ['not delivered: 1 message of conversation-wakes.dispatcher', 'tenants/alice/turns/telegram:1:2 is being worked on'],
        leftBehind: ['1 dead letter of inbound-messages.dispatcher: event-7 (no good)'],
        refusals: [expect.stringContaining('let it finish'), expect.stringContaining('let it finish'), expect.stringContaining('--force')],
      });
      expect((await move({ force: true })).plan.refusals).toHaveLength(2);
      await atSource(async ({ bus, documents }) => {
        await documents.set('tenants/alice/turns/telegram:1:2', { state: 'done', open: false, seq: 2, receivedAt: 2 });
        await drain(bus);
      });
      expect(await move()).toMatchObject({ moved: false, plan: { refusals: [expect.stringContaining('event-7')] } });
      expect(await move({ force: true })).toMatchObject({ moved: true });
    });

    it('refuses while a process holds the folder, naming it, and where there is no folder', async () => {
      await atSource(async () => {
        await expect(move()).rejects.toThrow(`is held by process ${process.pid}`);
      });
      config = { ...config, ROCKPOOL_DATA_DIR: join(folder, 'none') };
      await expect(move()).rejects.toThrow('There is no data folder at');
    });
  },
);

/** Has a message given up. */
async function bury(bus: MessageBus, id: string): Promise<void> {
  await bus.publish({ topic: 'inbound-messages', body: Buffer.from('{}'), attributes: { 'ce-id': id } });
  await handleOne(bus, subscriptions.receive, { kind: 'dead-letter', reason: 'no good' });
}

/** Has the one wake that waits done. */
const drain = (bus: MessageBus) => handleOne(bus, subscriptions.drive, { kind: 'ack' });

async function handleOne(bus: MessageBus, spec: SubscriptionSpec, verdict: Verdict): Promise<void> {
  const handled = Promise.withResolvers<void>();
  const subscription = await bus.subscribe(spec, async () => (handled.resolve(), verdict));
  await handled.promise;
  await subscription.close();
}
