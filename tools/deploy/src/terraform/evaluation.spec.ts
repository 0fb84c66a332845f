import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { appNames, apps, queues, topics, type AppName } from '@rockpool/contracts';
import { repositoryFolder } from '../repository.js';
import { readTerraform } from './terraform.fixture.js';

/**
 * What Terraform itself makes of the catalogue. The local values of the module that composes everything, and what it hands to other modules, are evaluated by
 * `terraform plan` in a folder of their own, where nothing is left that would need a provider.
 */

const version = spawnSync('terraform', ['version'], { encoding: 'utf8' });
const missing = version.error ? ' (skipped: no terraform on this machine)' : '';

/** What only the cloud knows, and what it is here. */
const stands: readonly [RegExp, string][] = [
  [/data\.google_project\.project\.number/g, '"123456789"'],
  [/module\.service_accounts\.members/g, '{ for name in keys(local.apps) : name => "serviceAccount:${name}" }'],
  [/module\.service_accounts\.emails/g, '{ for name in keys(local.apps) : name => name }'],
  [/module\.secrets\.secret_ids\[variable\]/g, '"secret of ${variable}"'],
  [/google_secret_manager_secret\.collector\[0\]\.secret_id/g, '"collector-config"'],
  [/google_secret_manager_secret_version\.collector\[0\]\.version/g, '"1"'],
];

/** Arguments of modules that are worked out from the catalogue. */
const handedOn: readonly [string, string][] = [
  ['pubsub', 'publishers'],
  ['pubsub', 'operators'],
  ['tasks', 'creators'],
  ['storage', 'users'],
  ['secrets', 'readers'],
  ['scheduler', 'triggers'],
  ['iam', 'tenant_secrets'],
  ['iam', 'documents'],
  ['iam', 'metrics_readers'],
];

interface Evaluated {
  callers: Record<AppName, Record<string, string>>;
  variables: Record<AppName, Record<string, string>>;
  secret_variables: Record<AppName, Record<string, string>>;
  scaling: Record<AppName, object>;
  dedicated: Record<string, object>;
  pubsub_publishers: Record<string, Record<string, string>>;
  pubsub_operators: Record<string, string>;
  tasks_creators: Record<string, Record<string, string>>;
  storage_users: Record<string, string>;
  secrets_readers: Record<string, Record<string, string>>;
  scheduler_triggers: Record<string, { app: string; url: string; email: string }>;
  iam_tenant_secrets: Record<string, string>;
  iam_documents: string[];
  iam_metrics_readers: string[];
}

let folder: string;
let evaluated: Evaluated;

const terraform = (...args: string[]) => {
  const result = spawnSync('terraform', args, {
    cwd: join(folder, 'modules/rockpool'),
    encoding: 'utf8',
    env: { ...process.env, CHECKPOINT_DISABLE: '1' },
  });
  if (result.status !== 0) throw new Error(`${result.stdout}\n${result.stderr}`);
  return result.stdout;
};

(missing ? describe.skip : describe)(`the catalogue as Terraform understands it${missing}`, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rockpool-terraform-'));
    const infra = join(repositoryFolder, 'infra');
    for (const name of ['catalogue.json', 'firestore.indexes.json']) cpSync(join(infra, name), join(folder, name));
    mkdirSync(join(folder, 'modules/rockpool'), { recursive: true });
    cpSync(join(infra, 'modules/rockpool/variables.tf'), join(folder, 'modules/rockpool/variables.tf'));
    const { locals, calls } = (await readTerraform()).get('modules/rockpool')!;
    const given = handedOn.map(([call, argument]) => [`${call}_${argument}`, calls.get(call)![argument]] as const);
    let text = JSON.stringify({ locals: Object.fromEntries([...locals, ...given]) });
    for (const [pattern, stand] of stands) text = text.replace(pattern, () => JSON.stringify(stand).slice(1, -1));
    const shown = ['callers', 'variables', 'secret_variables', 'scaling', 'dedicated', ...given.map(([name]) => name)];
    const output = Object.fromEntries(shown.map((name) => [name, { value: `\${local.${name}}` }]));
    writeFileSync(join(folder, 'modules/rockpool/main.tf.json'), JSON.stringify({ ...(JSON.parse(text) as object), output }));
    writeFileSync(
      join(folder, 'modules/rockpool/tenants.yaml'),
      'tenants:\n  alice: { host: { mode: dedicated } }\n  bob: { host: { mode: pooled } }\n  carol: {}\n  dave:\n',
    );
    terraform('init', '-input=false', '-no-color');
    const settings = [
      'project_id=my-project',
      'tenants_file=tenants.yaml',
      'secrets_with_value=["OPENAI_API_KEY"]',
      'scaling={ingress={minInstances=1}}',
    ];
    terraform('plan', '-input=false', '-no-color', '-out=plan', ...settings.map((setting) => `-var=${setting}`));
    const { planned_values: planned } = JSON.parse(terraform('show', '-json', 'plan')) as {
      planned_values: { outputs: Record<string, { value: unknown }> };
    };
    evaluated = Object.fromEntries(Object.entries(planned.outputs).map(([name, { value }]) => [name, value])) as unknown as Evaluated;
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  const appsThat = (holds: (name: AppName) => boolean) => appNames.filter(holds).sort();

  it('lets into each topic those who publish to it, and nobody else', () => {
    for (const topic of Object.keys(topics)) {
      const publishers = appsThat((name) => (apps[name].publishes as readonly string[]).includes(topic));
      expect([topic, Object.keys(evaluated.pubsub_publishers[topic]!).sort()]).toEqual([topic, publishers]);
    }
    expect(Object.keys(evaluated.pubsub_operators)).toEqual(appsThat((name) => apps[name].operatesBus));
  });

  it('lets into each queue those who create tasks in it', () => {
    for (const queue of Object.keys(queues)) {
      const creators = appsThat((name) => (apps[name].createsTasksIn as readonly string[]).includes(queue));
      expect([queue, Object.keys(evaluated.tasks_creators[queue]!).sort()]).toEqual([queue, creators]);
    }
  });

  it('lets call each app those who call it, and itself where Pub/Sub or Scheduler call in its name', () => {
    for (const name of appNames) {
      const callers = appsThat(
        (caller) =>
          (apps[caller].calls as readonly string[]).includes(name) ||
          (caller === name && apps[name].consumes.length + apps[name].triggers.length > 0),
      );
      expect([name, Object.keys(evaluated.callers[name]).sort()]).toEqual([name, callers]);
    }
  });

  it('gives every app its variables, and its secrets once they have a value', () => {
    for (const name of appNames) {
      // Nobody named a collector.
      const variables = (apps[name].variables as readonly string[]).filter((variable) => variable !== 'OTEL_EXPORTER_OTLP_ENDPOINT');
      expect([name, Object.keys(evaluated.variables[name]).sort()]).toEqual([name, [...variables].sort()]);
      const secrets = (apps[name].secretVariables as readonly string[]).filter((variable) => variable === 'OPENAI_API_KEY');
      expect([name, Object.keys(evaluated.secret_variables[name])]).toEqual([name, secrets]);
    }
    expect(evaluated.variables.dispatcher).toMatchObject({
      ROCKPOOL_ENGINE: 'google',
      ROCKPOOL_BUCKET: 'my-project-rockpool',
      ROCKPOOL_AGENT_HOST_URL: 'https://agent-host-123456789.europe-west1.run.app',
    });
  });

  it('lets read documents, files and secrets those who declare it', () => {
    expect([...evaluated.iam_documents].sort()).toEqual(appsThat((name) => apps[name].documents));
    expect(Object.keys(evaluated.storage_users).sort()).toEqual(appsThat((name) => apps[name].blobs));
    expect(evaluated.iam_metrics_readers).toEqual(appsThat((name) => apps[name].operatesBus));
    expect(evaluated.iam_tenant_secrets).toEqual(Object.fromEntries(appNames.map((name) => [name, apps[name].tenantSecrets])));
    for (const [variable, readers] of Object.entries(evaluated.secrets_readers))
      expect(Object.keys(readers).sort()).toEqual(appsThat((name) => (apps[name].secretVariables as readonly string[]).includes(variable)));
  });

  it('runs each app as the catalogue says, but for what an environment changes', () => {
    expect(evaluated.scaling).toEqual({
      ...Object.fromEntries(appNames.map((name) => [name, apps[name].scaling])),
      ingress: { ...apps.ingress.scaling, minInstances: 1 },
    });
  });

  it('calls at its time what wants to be called', () => {
    const triggers = appNames.flatMap((name) => apps[name].triggers.map((trigger) => [`${name}-${trigger.name}`, name, trigger] as const));
    expect(Object.keys(evaluated.scheduler_triggers)).toEqual(triggers.map(([key]) => key));
    for (const [key, name, trigger] of triggers)
      expect(evaluated.scheduler_triggers[key]).toEqual({
        ...trigger,
        app: name,
        email: name,
        url: `https://${name}-123456789.europe-west1.run.app`,
      });
  });

  it('gives a host of its own to the tenants that ask for one', () => {
    expect(Object.keys(evaluated.dedicated)).toEqual(['alice']);
  });
});
