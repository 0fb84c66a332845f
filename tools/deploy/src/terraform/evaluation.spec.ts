import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { appNames, apps, queues, type AppName } from '@rockpool/contracts';
import { catalogueFiles } from '../catalogue/catalogue-files.js';
import { catalogue } from '../catalogue/catalogue.js';
import { planMissing, planOf, type Planned } from './plan.fixture.js';

/** What Terraform itself makes of the catalogue: the resources of production, one by one. */

let planned: Planned[];
let folder: string;

const settings = {
  project_id: 'my-project',
  deployers: ['serviceAccount:deployer'],
  alert_emails: ['you@example.com'],
  secrets_with_value: ['OPENAI_API_KEY'],
  collector_image: 'a-collector:1',
};

(planMissing ? describe.skip : describe)(`what Terraform makes of the catalogue${planMissing ? ` (skipped: ${planMissing})` : ''}`, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rockpool-tenants-'));
    const tenants = join(folder, 'tenants.yaml');
    writeFileSync(tenants, 'tenants:\n  alice: { host: { mode: dedicated } }\n  bob: { host: { mode: pooled } }\n  carol: {}\n  dave:\n');
    planned = await planOf('environments/prod', { ...settings, tenants_file: tenants });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const of = (type: string, name?: string) =>
    planned.filter((one) => one.type === type && (name === undefined || one.name === name) && !one.module.includes('dedicated'));
  const ofAlice = (type: string) => planned.filter((one) => one.type === type && one.module.includes('dedicated_tenant["alice"]'));
  const keys = (resources: readonly Planned[]) => resources.map(({ key }) => key).sort();
  const appsThat = (holds: (name: AppName) => boolean) => appNames.filter(holds).sort();
  const service = (name: AppName) => of('google_cloud_run_v2_service').find(({ values }) => values['name'] === name)!;
  const template = (name: AppName) => (service(name).values['template'] as Record<string, unknown>[])[0]!;
  const container = (name: AppName) => (template(name)['containers'] as Record<string, unknown>[])[0]!;

  it('has exactly the topics and subscriptions of the code, and two more for the dead letters of each subscription', () => {
    const { subscriptions, topics } = catalogue();
    const dead = Object.values(subscriptions).map(({ deadLetter }) => deadLetter);
    const named = (type: string) => of(type).map(({ values }) => values['name']);
    expect(named('google_pubsub_topic').sort()).toEqual([...Object.keys(topics), ...dead].sort());
    expect(named('google_pubsub_subscription').sort()).toEqual([...Object.keys(subscriptions), ...dead].sort());
    for (const { key, values } of of('google_pubsub_subscription', 'subscription')) {
      const spec = subscriptions[String(key)]!;
      expect(values).toMatchObject({
        topic: spec.topic,
        filter: spec.filter,
        enable_message_ordering: spec.ordered,
        ack_deadline_seconds: spec.ackDeadlineSeconds,
        retry_policy: [{ minimum_backoff: spec.minimumBackoff, maximum_backoff: spec.maximumBackoff }],
        dead_letter_policy: [{ dead_letter_topic: spec.deadLetter, max_delivery_attempts: spec.maxDeliveryAttempts }],
      });
    }
  });

  it('has exactly the queues of the code', () => {
    const made = catalogue().queues;
    expect(keys(of('google_cloud_tasks_queue'))).toEqual(Object.keys(queues).sort());
    for (const { key, values } of of('google_cloud_tasks_queue')) {
      const spec = made[String(key)]!;
      expect(values).toMatchObject({
        rate_limits: [{ max_dispatches_per_second: spec.maxDispatchesPerSecond, max_concurrent_dispatches: spec.maxConcurrentDispatches }],
        retry_config: [
          {
            max_attempts: spec.maxAttempts,
            max_retry_duration: spec.maxRetryDuration,
            min_backoff: spec.minBackoff,
            max_backoff: spec.maxBackoff,
          },
        ],
      });
    }
  });

  it('has exactly the indexes of the code, and lets expire what the code has expire', () => {
    const file = JSON.parse(catalogueFiles()['infra/firestore.indexes.json']!) as {
      indexes: { collectionGroup: string; queryScope: string; fields: { fieldPath: string; order: string }[] }[];
      fieldOverrides: { collectionGroup: string; fieldPath: string; ttl?: true }[];
    };
    const made = of('google_firestore_index').map(({ values }) => ({
      collectionGroup: values['collection'],
      queryScope: values['query_scope'],
      fields: (values['dynamic_fields'] as unknown[])[0],
    }));
    expect(made).toHaveLength(file.indexes.length);
    expect(made).toEqual(expect.arrayContaining(file.indexes));
    const expiring = of('google_firestore_field').filter(
      ({ values }) => ((values['dynamic_ttl_config'] as unknown[][])[0] ?? []).length > 0,
    );
    expect(expiring.map(({ values }) => `${String(values['collection'])} ${String(values['field'])}`).sort()).toEqual(
      file.fieldOverrides.flatMap(({ collectionGroup, fieldPath, ttl }) => (ttl ? [`${collectionGroup} ${fieldPath}`] : [])).sort(),
    );
  });

  it('lets into each topic and queue those who publish or create tasks there, and nobody else', () => {
    const rights = (facts: (name: AppName) => readonly string[]) =>
      appNames.flatMap((name) => facts(name).map((to) => `${to} ${name}`)).sort();
    expect(keys(of('google_pubsub_topic_iam_member', 'publisher'))).toEqual(rights((name) => apps[name].publishes));
    expect(keys(of('google_cloud_tasks_queue_iam_member', 'enqueuer'))).toEqual(rights((name) => apps[name].createsTasksIn));
    expect(keys(of('google_pubsub_subscription_iam_member', 'subscriber'))).toEqual(
      appNames.flatMap((name) => [...apps[name].consumes]).sort(),
    );
    for (const { values, key } of of('google_pubsub_topic_iam_member', 'publisher'))
      expect(values).toMatchObject({ role: 'roles/pubsub.publisher', member: `serviceAccount:${String(key).split(' ')[1]}` });
  });

  it('lets call each app those who call it, and itself where Pub/Sub or Scheduler call in its name', () => {
    for (const name of appNames) {
      const own = apps[name].consumes.length + apps[name].triggers.length > 0;
      const callers = appsThat((caller) => (apps[caller].calls as readonly string[]).includes(name) || (caller === name && own));
      const made = of('google_cloud_run_v2_service_iam_member', 'caller').filter(({ module }) => module.endsWith(`["${name}"]`));
      expect([name, keys(made)]).toEqual([name, callers]);
    }
  });

  it('shows ingress and console to the internet, and nothing else', () => {
    const anyone = planned.filter(({ values }) => values['member'] === 'allUsers').map(({ module }) => /"([^"]+)"/.exec(module)![1]);
    expect(anyone.sort()).toEqual(appsThat((name) => apps[name].public));
    for (const name of appNames)
      expect([name, service(name).values['ingress']]).toEqual([
        name,
        apps[name].public ? 'INGRESS_TRAFFIC_ALL' : 'INGRESS_TRAFFIC_INTERNAL_ONLY',
      ]);
    expect(ofAlice('google_cloud_run_v2_service').map(({ values }) => values['ingress'])).toEqual(['INGRESS_TRAFFIC_INTERNAL_ONLY']);
  });

  it('runs every app as itself, with its own variables, its secrets once they have a value, and its scaling', () => {
    for (const name of appNames) {
      const { scaling, variables, secretVariables } = apps[name];
      const [plain, secret] = container(name)['dynamic_env'] as Record<string, string>[];
      expect([name, Object.keys(plain!).sort()]).toEqual([name, [...variables].sort()]);
      expect([name, Object.keys(secret!)]).toEqual([
        name,
        (secretVariables as readonly string[]).filter((one) => one === 'OPENAI_API_KEY'),
      ]);
      expect(template(name)).toMatchObject({
        service_account: name,
        timeout: `${scaling.timeoutSeconds}s`,
        max_instance_request_concurrency: scaling.concurrency,
        // Of production alone: one ingress is always warm.
        scaling: [{ min_instance_count: name === 'ingress' ? 1 : scaling.minInstances, max_instance_count: scaling.maxInstances }],
      });
      expect(container(name)).toMatchObject({
        resources: [
          {
            cpu_idle: scaling.cpuAllocation === 'request',
            limits: { cpu: String(scaling.cpu), memory: `${scaling.memoryMib}Mi` },
          },
        ],
      });
    }
    expect((container('dispatcher')['dynamic_env'] as object[])[0]).toMatchObject({
      ROCKPOOL_ENGINE: 'google',
      ROCKPOOL_BUCKET: 'my-project-rockpool',
      ROCKPOOL_AGENT_HOST_URL: 'https://agent-host-123456789.europe-west1.run.app',
    });
  });

  it('lets read documents, files and secrets those who declare it', () => {
    expect(keys(of('google_project_iam_member', 'documents'))).toEqual(appsThat((name) => apps[name].documents));
    expect(keys(of('google_storage_bucket_iam_member'))).toEqual(appsThat((name) => apps[name].blobs));
    expect(keys(of('google_project_iam_member', 'metrics'))).toEqual(appsThat((name) => apps[name].watchesBus));
    const roles = { read: 'rockpoolSecretReader', add: 'rockpoolSecretAdder', manage: 'rockpoolSecretKeeper', none: undefined };
    for (const name of appNames) {
      const granted = of('google_project_iam_member', 'tenant_secrets').find(({ key }) => key === name);
      expect([name, granted?.values['role']]).toEqual([name, roles[apps[name].tenantSecrets]]);
    }
    const readers = appNames.flatMap((name) => (apps[name].secretVariables as readonly string[]).map((one) => `${one} ${name}`));
    expect(keys(of('google_secret_manager_secret_iam_member', 'reader'))).toEqual(readers.sort());
  });

  it('calls at its time what wants to be called, in its own name', () => {
    const triggers = appNames.flatMap((name) => apps[name].triggers.map((trigger) => ({ name, trigger })));
    expect(keys(of('google_cloud_scheduler_job'))).toEqual(triggers.map(({ name, trigger }) => `${name}-${trigger.name}`).sort());
    for (const { name, trigger } of triggers) {
      const url = `https://${name}-123456789.europe-west1.run.app`;
      expect(of('google_cloud_scheduler_job').find(({ key }) => key === `${name}-${trigger.name}`)!.values).toMatchObject({
        schedule: trigger.cron,
        http_target: [{ uri: `${url}${trigger.path}`, oidc_token: [{ service_account_email: name, audience: url }] }],
      });
    }
  });

  it('gives a tenant that asks for it a host of its own, and the host nothing of anybody else', () => {
    expect(new Set(planned.flatMap(({ module }) => /dedicated_tenant\["(\w+)"\]/.exec(module)?.[1] ?? []))).toEqual(new Set(['alice']));
    const [account] = ofAlice('google_service_account');
    const member = String(account!.values['member']);
    expect(String(account!.values['account_id']).length).toBeLessThanOrEqual(30);
    const given = planned
      .filter(({ values }) => values['member'] === member)
      .map(({ type, name, module }) => `${module.split('.')[3]} ${type}.${name}`);
    expect(new Set(given.map((line) => line.split(' ')[0]))).toEqual(new Set(['dedicated_tenant["alice"]']));
    const conditions = ofAlice('google_project_iam_member')
      .filter(({ values }) => values['member'] === member && values['condition'] !== undefined)
      .map(({ values }) => (values['condition'] as { expression: string }[])[0]!.expression);
    expect(conditions.sort()).toEqual([
      'resource.name == "projects/my-project/databases/host-alice"',
      'resource.name.startsWith("projects/123456789/secrets/alice_")',
    ]);
    const pooled = of('google_project_iam_member', 'tenant_secrets').find(({ key }) => key === 'agent-host')!;
    expect((pooled.values['condition'] as { expression: string }[])[0]!.expression).toContain(
      '!resource.name.startsWith("projects/123456789/secrets/alice_")',
    );
  });
});

(planMissing ? describe.skip : describe)(`the other folders of Terraform${planMissing ? ` (skipped: ${planMissing})` : ''}`, () => {
  it.each([
    ['environments/dev', { project_id: 'my-project' }],
    ['bootstrap', { project_id: 'my-project', github_repository_id: '123' }],
  ])('have a plan too: %s', async (name, variables) => {
    expect((await planOf(name, variables)).length).toBeGreaterThan(5);
  });

  it('refuse what could not work: documents away from their key, a dispatcher that sleeps and has to fetch', async () => {
    const refused = (variables: object) => planOf('modules/rockpool', { project_id: 'my-project', ...variables });
    await expect(refused({ firestore_location: 'eur3', customer_managed_key: true })).rejects.toThrow(/documents have to be there too/);
    await expect(refused({ delivery: 'pull' })).rejects.toThrow(/nobody wakes a dispatcher/);
    await expect(refused({ delivery: 'pull', scaling: { dispatcher: { minInstances: 1, cpuAllocation: 'always' } } })).resolves.not.toEqual(
      [],
    );
  });

  it('want the number of a repository, not its name', async () => {
    await expect(planOf('bootstrap', { project_id: 'my-project', github_repository_id: 'owner/name' })).rejects.toThrow(/is a number/);
  });
});
