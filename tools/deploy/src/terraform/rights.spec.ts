import { beforeAll, describe, expect, it } from '@jest/globals';
import { appNames, apps } from '@rockpool/contracts';
import { readTerraform, type Block, type TerraformModule } from './terraform.fixture.js';

let modules: ReadonlyMap<string, TerraformModule>;
beforeAll(async () => {
  modules = await readTerraform();
});

const all = () =>
  [...modules.values()].flatMap(({ folder, resources }) =>
    [...resources].map(([address, resource]) => ({ folder, address, type: address.split('.')[0]!, resource })),
  );
const module = (name: string): TerraformModule => modules.get(`modules/${name}`)!;
const call = (name: string): Block => module('rockpool').calls.get(name)!;

/** Every text in Terraform that names a role. */
const roles = () =>
  all().flatMap(({ folder, address, resource }) =>
    typeof resource['role'] === 'string' ? [{ at: `${folder} ${address}`, role: resource['role'] }] : [],
  );

describe('rights', () => {
  it('are added one by one: nothing replaces what others were given', () => {
    expect(all().filter(({ type }) => /_iam_(binding|policy)$|_access_policy$/.test(type))).toEqual([]);
  });

  it('are never the primitive roles, nor those that may do everything with a kind of thing', () => {
    expect(roles().length).toBeGreaterThan(20);
    const wide = /^roles\/(owner|editor|viewer|browser|iam\.securityAdmin|[\w.]+\.(admin|owner|editor)|[\w.]*[aA]dmin)$/;
    expect(roles().filter(({ role }) => wide.test(role))).toEqual([]);
  });

  it('on the whole project are only those that no single thing can give', () => {
    const project = all().filter(({ type }) => type === 'google_project_iam_member');
    const allowed = new Set([
      'roles/cloudtrace.agent',
      'roles/datastore.user',
      'roles/logging.logWriter',
      'roles/monitoring.viewer',
      'roles/run.viewer',
      '${local.roles[each.value]}',
      '${google_project_iam_custom_role.secret_creator.id}',
      '${google_project_iam_custom_role.secret_lister.id}',
      '${var.secret_reader_role}',
    ]);
    expect(project.map(({ resource }) => String(resource['role'])).filter((role) => !allowed.has(role))).toEqual([]);
  });

  it('on documents and on secrets of tenants hold under a condition', () => {
    const bound = all().filter(({ resource }) => /datastore\.user|local\.roles|secret_reader_role/.test(String(resource['role'])));
    expect(bound).toHaveLength(4);
    for (const { resource } of bound)
      expect((resource['condition'] as Block[])[0]!['expression']).toMatch(/resource\.name|local\.conditions/);
    expect(module('iam').locals.get('conditions')).toContain('local.of_tenants');
    expect(module('iam').locals.get('of_tenants')).toContain('resource.name.extract(');
  });

  it('of custom roles are single permissions on secrets', () => {
    const permissions = all()
      .filter(({ type }) => type === 'google_project_iam_custom_role')
      .flatMap(({ resource }) => resource['permissions'] as string[]);
    expect(permissions.filter((permission) => !/^secretmanager\.(secrets|versions)\.[a-z]+$/.test(permission))).toEqual([]);
    expect(permissions).not.toContain('secretmanager.secrets.setIamPolicy');
  });

  it('of the apps are what each declares', () => {
    expect(call('pubsub')['publishers']).toContain('if contains(app.publishes, topic)');
    expect(call('pubsub')['operators']).toContain('if app.operatesBus');
    expect(call('tasks')['creators']).toContain('if contains(app.createsTasksIn, queue)');
    expect(call('storage')['users']).toContain('if app.blobs');
    expect(call('secrets')['readers']).toContain('if contains(app.secretVariables, variable)');
    expect(call('iam')).toMatchObject({
      tenant_secrets: '${{ for name, app in local.apps : name => app.tenantSecrets }}',
      documents: '${toset([for name, app in local.apps : name if app.documents])}',
    });
    expect(module('pubsub').locals.get('subscribers')).toContain('var.members[subscription.app]');
    expect(module('rockpool').locals.get('callers')).toContain('if contains(spec.calls, name) ||');
  });

  it('reach CI without a key', () => {
    expect(all().filter(({ type }) => type === 'google_service_account_key')).toEqual([]);
    const provider = modules.get('bootstrap')!.resources.get('google_iam_workload_identity_pool_provider.github')!;
    expect(provider['attribute_condition']).toContain('assertion.repository_id ==');
    expect(provider['attribute_condition']).toContain('assertion.ref ==');
  });
});

describe('the internet', () => {
  it('reaches ingress and console, and no other app', () => {
    expect(appNames.filter((name) => apps[name].public)).toEqual(['ingress', 'console']);
    expect(call('app')['public']).toBe('${each.value.public}');
    const [service] = all().filter(({ type }) => type === 'google_cloud_run_v2_service');
    expect(service!.resource['ingress']).toBe('${var.public ? "INGRESS_TRAFFIC_ALL" : "INGRESS_TRAFFIC_INTERNAL_ONLY"}');
    expect(all().filter(({ type }) => type === 'google_cloud_run_v2_service')).toHaveLength(1);
  });

  it('may call a service in one place only, and there only one that is public', () => {
    const anyone = all().filter(({ resource }) => /allUsers|allAuthenticatedUsers/.test(JSON.stringify(resource)));
    expect(anyone.map(({ folder, address }) => `${folder} ${address}`)).toEqual([
      'modules/cloud-run-app google_cloud_run_v2_service_iam_member.anyone',
    ]);
    expect(anyone[0]!.resource['count']).toBe('${var.public ? 1 : 0}');
  });

  it('reaches no host of a dedicated tenant', () => {
    expect(module('dedicated-tenant').calls.get('host')!['public']).toBe(false);
  });

  it('reads no bucket', () => {
    const buckets = all().filter(({ type }) => type === 'google_storage_bucket');
    expect(buckets).toHaveLength(2);
    for (const { resource } of buckets)
      expect(resource).toMatchObject({
        uniform_bucket_level_access: true,
        public_access_prevention: 'enforced',
        versioning: [{ enabled: true }],
        force_destroy: false,
      });
  });
});

describe('a dedicated tenant', () => {
  it('is every tenant of tenants.yaml that asks for a host of its own', () => {
    expect(call('dedicated_tenant')['for_each']).toBe('${local.dedicated}');
    expect(module('rockpool').locals.get('dedicated')).toContain('if try(spec.host.mode, "pooled") == "dedicated"');
    expect(module('rockpool').locals.get('tenants')).toContain('file(var.tenants_file)');
  });

  it('has its own account, bucket, database and service', () => {
    const { resources, calls } = module('dedicated-tenant');
    expect([...calls.keys()].sort()).toEqual(['bucket', 'database', 'host']);
    expect(resources.has('google_service_account.host')).toBe(true);
    expect(calls.get('host')).toMatchObject({ service_account: '${google_service_account.host.email}', callers: '${var.callers}' });
    expect(calls.get('bucket')).toMatchObject({ users: { host: '${google_service_account.host.member}' } });
  });

  it('reads its own secrets and documents, and nobody else’s', () => {
    const { resources } = module('dedicated-tenant');
    const condition = (address: string) => String((resources.get(address)!['condition'] as Block[])[0]!['expression']);
    expect(condition('google_project_iam_member.secrets')).toContain('secrets/${var.tenant}_');
    expect(condition('google_project_iam_member.documents')).toContain('databases/${module.database.database_id}');
    expect(call('dedicated_tenant')['document_members']).toContain('name != "agent-host"');
  });

  it('is nobody that the pooled host could read secrets of', () => {
    expect(module('iam').locals.get('not_dedicated')).toContain('!resource.name.startsWith(');
    expect(module('iam').locals.get('conditions')).toContain('name == "agent-host" ? local.not_dedicated : ""');
  });
});
