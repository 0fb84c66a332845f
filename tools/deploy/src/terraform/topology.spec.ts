import { beforeAll, describe, expect, it } from '@jest/globals';
import { appNames, apps } from '@rockpool/contracts';
import { catalogue } from '../catalogue/catalogue.js';
import { readTerraform, type Block, type TerraformModule } from './terraform.fixture.js';

/** That resources are made from the catalogue, member by member, and from nothing else. That the catalogue is what the code declares has a spec of its own. */

let modules: ReadonlyMap<string, TerraformModule>;
beforeAll(async () => {
  modules = await readTerraform();
});

const module = (name: string): TerraformModule => modules.get(`modules/${name}`)!;
const resource = (name: string, address: string): Block => module(name).resources.get(address)!;
const call = (name: string): Block => module('rockpool').calls.get(name)!;
const block = (parent: Block, name: string): Block => (parent[name] as Block[])[0]!;

/** Members of `each.value`, or of the object a map is walked with, that a module reads. */
function factsRead(name: string): ReadonlySet<string> {
  const text = module(name).expressions.join('\n');
  return new Set([...text.matchAll(/\b(?:each\.value|subscription|scaling)\.([a-z]\w*)/gi)].map(([, fact]) => fact!));
}

/** Names of the members in an `object({…})` type. */
function typedMembers(type: unknown): string[] {
  const body = /object\(\{([^}]*)\}/.exec(String(type))?.[1] ?? '';
  return [...body.matchAll(/(\w+)\s*=/g)].map(([, name]) => name!).sort();
}

const factsOf = (entries: Readonly<Record<string, object>>) => [...new Set(Object.values(entries).flatMap(Object.keys))].sort();

describe('the bus in Terraform', () => {
  it('has every topic of the catalogue', () => {
    expect(call('pubsub')['topics']).toBe('${local.catalogue.topics}');
    expect(resource('pubsub', 'google_pubsub_topic.topic')).toMatchObject({ for_each: '${var.topics}', name: '${each.key}' });
    expect(typedMembers(module('pubsub').variables.get('topics')!['type'])).toEqual(factsOf(catalogue().topics));
  });

  it('has every subscription of the catalogue, with everything that is said of it', () => {
    expect(call('pubsub')['subscriptions']).toBe('${local.catalogue.subscriptions}');
    const subscription = resource('pubsub', 'google_pubsub_subscription.subscription');
    expect(subscription).toMatchObject({
      for_each: '${var.subscriptions}',
      name: '${each.key}',
      topic: '${google_pubsub_topic.topic[each.value.topic].id}',
      enable_message_ordering: '${each.value.ordered}',
      filter: '${each.value.filter}',
      ack_deadline_seconds: '${each.value.ackDeadlineSeconds}',
      expiration_policy: [{ ttl: '' }],
      retry_policy: [{ minimum_backoff: '${each.value.minimumBackoff}', maximum_backoff: '${each.value.maximumBackoff}' }],
      dead_letter_policy: [
        { dead_letter_topic: '${google_pubsub_topic.dead[each.key].id}', max_delivery_attempts: '${each.value.maxDeliveryAttempts}' },
      ],
    });
    const facts = factsOf(catalogue().subscriptions);
    expect(typedMembers(module('pubsub').variables.get('subscriptions')!['type'])).toEqual(facts);
    expect(facts.filter((fact) => !factsRead('pubsub').has(fact))).toEqual([]);
  });

  it('pushes with a token of the app that consumes, for the app that consumes', () => {
    const push = block(resource('pubsub', 'google_pubsub_subscription.subscription')['dynamic'] as unknown as Block, 'push_config');
    expect(block(push, 'content')).toEqual({
      push_endpoint: '${push_config.value}/pubsub/${each.key}',
      oidc_token: [{ service_account_email: '${var.emails[each.value.app]}', audience: '${push_config.value}' }],
    });
    expect(resource('pubsub', 'google_service_account_iam_member.push_token')).toMatchObject({
      for_each: '${toset([for subscription in var.subscriptions : subscription.app])}',
      role: 'roles/iam.serviceAccountTokenCreator',
      member: '${google_project_service_identity.pubsub.member}',
    });
  });

  it('keeps the dead letters of every subscription, and lets Pub/Sub put them there', () => {
    const every = { for_each: '${var.subscriptions}' };
    expect(resource('pubsub', 'google_pubsub_topic.dead')).toMatchObject({ ...every, name: '${each.value.deadLetter}' });
    expect(resource('pubsub', 'google_pubsub_subscription.dead')).toMatchObject({
      ...every,
      name: '${each.value.deadLetter}',
      topic: '${google_pubsub_topic.dead[each.key].id}',
      expiration_policy: [{ ttl: '' }],
    });
    const member = '${google_project_service_identity.pubsub.member}';
    expect(resource('pubsub', 'google_pubsub_topic_iam_member.dead_letters')).toMatchObject({
      ...every,
      topic: '${google_pubsub_topic.dead[each.key].name}',
      role: 'roles/pubsub.publisher',
      member,
    });
    expect(resource('pubsub', 'google_pubsub_subscription_iam_member.dead_letters')).toMatchObject({
      ...every,
      subscription: '${google_pubsub_subscription.subscription[each.key].name}',
      role: 'roles/pubsub.subscriber',
      member,
    });
  });
});

describe('queues in Terraform', () => {
  it('are those of the catalogue, with everything that is said of them', () => {
    expect(call('tasks')['queues']).toBe('${local.catalogue.queues}');
    expect(resource('tasks', 'google_cloud_tasks_queue.queue')).toMatchObject({ for_each: '${var.queues}', name: '${each.key}' });
    const facts = factsOf(catalogue().queues);
    expect(typedMembers(module('tasks').variables.get('queues')!['type'])).toEqual(facts);
    expect(facts.filter((fact) => !factsRead('tasks').has(fact))).toEqual([]);
  });
});

describe('indexes in Terraform', () => {
  it('are those of the generated file, in the shared database and in every one of its own', () => {
    const given = { indexes: '${local.firestore.indexes}', field_overrides: '${local.firestore.fieldOverrides}' };
    expect(call('firestore')).toMatchObject(given);
    expect(call('dedicated_tenant')).toMatchObject(given);
    expect(module('rockpool').locals.get('firestore')).toBe('${jsondecode(file("${path.module}/../../firestore.indexes.json"))}');
    expect(module('dedicated-tenant').calls.get('database')).toMatchObject({
      indexes: '${var.indexes}',
      field_overrides: '${var.field_overrides}',
    });
    expect(resource('firestore', 'google_firestore_index.index')).toMatchObject({
      for_each: '${local.indexes}',
      collection: '${each.value.collectionGroup}',
      query_scope: '${each.value.queryScope}',
    });
    expect(resource('firestore', 'google_firestore_field.field')).toMatchObject({
      for_each: '${local.overrides}',
      collection: '${each.value.collectionGroup}',
      field: '${each.value.fieldPath}',
    });
  });

  it('are in a database that cannot be deleted, and can be read as it was', () => {
    expect(resource('firestore', 'google_firestore_database.database')).toMatchObject({
      type: 'FIRESTORE_NATIVE',
      point_in_time_recovery_enablement: 'POINT_IN_TIME_RECOVERY_ENABLED',
      delete_protection_state: '${var.delete_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"}',
    });
    expect(modules.get('environments/prod')!.calls.get('rockpool')).toMatchObject({ deletion_protection: true });
  });
});

describe('services in Terraform', () => {
  const service = () => resource('cloud-run-app', 'google_cloud_run_v2_service.app');

  it('are the apps of the catalogue, each as its own account', () => {
    expect(module('rockpool').locals.get('catalogue')).toBe('${jsondecode(file("${path.module}/../../catalogue.json"))}');
    expect(module('rockpool').locals.get('apps')).toBe('${local.catalogue.apps}');
    expect(call('app')).toMatchObject({
      for_each: '${local.apps}',
      name: '${each.key}',
      app: '${each.key}',
      public: '${each.value.public}',
      service_account: '${module.service_accounts.emails[each.key]}',
      scaling: '${local.scaling[each.key]}',
      variables: '${local.variables[each.key]}',
      secret_variables: '${local.secret_variables[each.key]}',
      callers: '${local.callers[each.key]}',
    });
    expect(call('service_accounts')['apps']).toBe('${toset(keys(local.apps))}');
    expect(resource('service-accounts', 'google_service_account.app')['account_id']).toBe('${each.value}');
  });

  it('run as the catalogue says', () => {
    const facts = Object.keys(apps.ingress.scaling).sort();
    expect(typedMembers(module('cloud-run-app').variables.get('scaling')!['type'])).toEqual(facts);
    expect(facts.filter((fact) => !factsRead('cloud-run-app').has(fact))).toEqual([]);
  });

  it('are asked whether they are ready, and whether they live', () => {
    const container = block(block(service(), 'template'), 'containers');
    expect(block(container, 'startup_probe')).toMatchObject({ http_get: [{ path: '/readyz' }] });
    expect(block(container, 'liveness_probe')).toMatchObject({ http_get: [{ path: '/healthz' }] });
  });

  it('have a value for every variable that an app is given, and for no other', () => {
    const values = /tomap\(\{(.*?)\}\)/s.exec(String(module('rockpool').locals.get('values')))![1]!;
    const named = [...values.matchAll(/^\s*([A-Z][A-Z0-9_]*)\s*=/gm)].map(([, name]) => name!);
    expect(named.sort()).toEqual([...new Set(appNames.flatMap((name): readonly string[] => apps[name].variables))].sort());
  });

  it('find the image and the traffic that the last deployment gave them', () => {
    expect(block(service(), 'lifecycle')['ignore_changes']).toEqual(
      expect.arrayContaining(['${traffic}', '${template[0].containers[0].image}']),
    );
  });

  it('reach each other through the network, where they call one another', () => {
    expect(call('app')['network']).toMatch(/^\$\{length\(each\.value\.calls\) > 0 \? /);
    expect(resource('network', 'google_compute_subnetwork.apps')['private_ip_google_access']).toBe(true);
    expect(resource('network', 'google_dns_record_set.run')['name']).toBe('*.run.app.');
  });

  it('are called at the times of the catalogue, as themselves', () => {
    expect(call('scheduler')['triggers']).toContain('for trigger in app.triggers');
    expect(block(resource('scheduler', 'google_cloud_scheduler_job.trigger'), 'http_target')).toEqual({
      http_method: 'POST',
      uri: '${each.value.url}${each.value.path}',
      oidc_token: [{ service_account_email: '${each.value.email}', audience: '${each.value.url}' }],
    });
  });
});
