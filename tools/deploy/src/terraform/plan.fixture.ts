import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from '@cdktf/hcl2json';
import { repositoryFolder } from '../repository.js';

/** A resource that would be made, with those of its arguments that are known before it is. */
export interface Planned {
  readonly module: string;
  readonly type: string;
  readonly name: string;
  /** Key of `for_each`, or index of `count`. */
  readonly key: string | number | undefined;
  readonly values: Readonly<Record<string, unknown>>;
}

type Block = Record<string, unknown>;
type Blocks = Record<string, Record<string, Block[]>>;

const metaArguments = new Set(['for_each', 'count', 'depends_on']);
const leftOut = new Set([...metaArguments, 'lifecycle', 'provider']);

/** What a resource is known by: the first of these that it has. */
const names = ['account_id', 'name', 'secret_id', 'role_id', 'repository_id', 'service', 'display_name', 'secret', 'id'];

/** What only the cloud knows of things that exist already. */
const data: readonly [RegExp, string][] = [
  [/data\.google_project\.project\.number/g, '\\"123456789\\"'],
  [/data\.google_storage_project_service_account\.agent\.member/g, '\\"serviceAccount:storage\\"'],
];

const versioned = spawnSync('terraform', ['version'], { encoding: 'utf8' });

/** Why nothing can be planned on this machine; `undefined` when it can. */
export const planMissing = versioned.error ? 'no terraform on this machine' : undefined;

/**
 * What `terraform plan` makes of a folder below `infra`. No provider can be had without a network, so every resource stands in for itself as a `terraform_data` that holds its arguments; whatever is worked out is worked out by Terraform: variables, types, conditions, `for_each`, what modules hand each other. Throws with Terraform's words when it finds a fault.
 */
export async function planOf(folder: string, variables: Readonly<Record<string, unknown>>): Promise<Planned[]> {
  const copy = mkdtempSync(join(tmpdir(), 'rockpool-terraform-'));
  try {
    const infra = join(repositoryFolder, 'infra');
    for (const path of globSync('**/*.{tf,json,yaml}', { cwd: infra }).filter((path) => !path.includes('.terraform'))) {
      mkdirSync(join(copy, dirname(path)), { recursive: true });
      // Types of variables cannot be written in JSON as they are read from it.
      if (!path.endsWith('.tf') || path.endsWith('variables.tf')) cpSync(join(infra, path), join(copy, path));
      else
        writeFileSync(
          join(copy, `${path}.json`),
          standIns((await parse(path, readFileSync(join(infra, path), 'utf8'))) as Record<string, Blocks>),
        );
    }
    const terraform = (...args: string[]) => {
      const options = {
        cwd: join(copy, folder),
        encoding: 'utf8',
        env: { ...process.env, CHECKPOINT_DISABLE: '1' },
        maxBuffer: 1e8,
      } as const;
      const result = spawnSync('terraform', args, options);
      if (result.status !== 0) throw new Error(`terraform ${args[0]} failed in ${folder}:\n${result.stdout}\n${result.stderr}`);
      return result.stdout;
    };
    writeFileSync(join(copy, folder, 'test.auto.tfvars.json'), JSON.stringify(variables));
    terraform('init', '-input=false', '-no-color');
    terraform('plan', '-input=false', '-no-color', '-out=plan');
    return resourcesOf((JSON.parse(terraform('show', '-json', 'plan')) as Plan).planned_values.root_module);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

function standIns(file: Record<string, Blocks>): string {
  const { resource = {}, data: _, provider: __, terraform: ___, ...rest } = file;
  const stands = Object.entries(resource).flatMap(([type, blocks]) =>
    Object.entries(blocks).map(([name, [block]]) => [`${type}__${name}`, standIn(block!)] as const),
  );
  let text = JSON.stringify({ ...rest, ...(stands.length > 0 && { resource: { terraform_data: Object.fromEntries(stands) } }) });
  for (const [pattern, value] of data) text = text.replace(pattern, value);
  text = text.replace(/(?<![\w.-])(google_[a-z0-9_]+)\.([a-z_]\w*)/g, 'terraform_data.$1__$2');
  text = text.replace(/"depends_on":\[[^\]]*\]/g, (list) => list.replace(/\$\{([^}]*)\}/g, '$1'));
  // An attribute of a resource is one of its arguments.
  text = text.replace(/(terraform_data\.\w+(?:\[[^\]]*\])?)\.(?=[a-z])/g, '$1.input.');
  return text.replace(
    /for (\w+, )?(\w+) in (terraform_data\.\w+) : (.*?)(?=[\]}])/g,
    (_all, key: string | undefined, item: string, from: string, body: string) => {
      return `for ${key ?? ''}${item} in ${from} : ${body.replace(new RegExp(`\\b${item}\\.(?=[a-z])`, 'g'), `${item}.input.`)}`;
    },
  );
}

function standIn(block: Block): Block {
  const given = withoutDynamic(Object.fromEntries(Object.entries(block).filter(([argument]) => !leftOut.has(argument)))) as Block;
  const known = String(names.map((name) => block[name]).find((value) => value !== undefined) ?? 'unnamed');
  const computed = {
    id: known,
    name: known,
    email: known,
    member: `serviceAccount:${known}`,
    version: '1',
    uri: `https://${known}`,
    service: known,
  };
  return {
    ...Object.fromEntries(Object.entries(block).filter(([argument]) => metaArguments.has(argument))),
    input: { ...computed, ...given },
  };
}

/** In place of the blocks that a dynamic one would make stands what it would make them for: `dynamic_env` is a list of maps. */
function withoutDynamic(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDynamic);
  if (typeof value !== 'object' || value === null) return value;
  const { dynamic = {}, ...rest } = value as { dynamic?: Record<string, { for_each: unknown }[]> };
  const made = Object.entries(dynamic).map(([name, blocks]) => [`dynamic_${name}`, blocks.map(({ for_each: each }) => each)]);
  return Object.fromEntries([...Object.entries(rest).map(([name, inner]) => [name, withoutDynamic(inner)]), ...made]);
}

interface PlannedModule {
  readonly address?: string;
  readonly resources?: readonly { name: string; index?: string | number; values: { input?: Record<string, unknown> } }[];
  readonly child_modules?: readonly PlannedModule[];
}
interface Plan {
  readonly planned_values: { readonly root_module: PlannedModule };
}

function resourcesOf({ address = '', resources = [], child_modules: children = [] }: PlannedModule): Planned[] {
  const own = resources.map(({ name, index, values }) => {
    const [type, ...rest] = name.split('__') as [string, ...string[]];
    return { module: address, type, name: rest.join('__'), key: index, values: values.input ?? {} };
  });
  return [...own, ...children.flatMap(resourcesOf)];
}
