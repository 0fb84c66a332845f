import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { repositoryFolder } from '../repository.js';
import { filesOf, readTerraform, referencesOf, sourceOf, type TerraformModule } from './terraform.fixture.js';

let modules: ReadonlyMap<string, TerraformModule>;
beforeAll(async () => {
  modules = await readTerraform();
});

/** What does not hold, of all modules. */
function problems(find: (module: TerraformModule) => readonly string[]): string[] {
  return [...modules.values()].flatMap((module) => find(module).map((problem) => `${module.folder}: ${problem}`));
}

/** Arguments of a call that Terraform itself takes. */
const metaArguments = new Set(['source', 'version', 'count', 'for_each', 'depends_on', 'providers']);

describe('Terraform', () => {
  it('has a folder for the first step, for each environment and for each part', () => {
    expect([...modules.keys()]).toEqual([
      'bootstrap',
      'environments/dev',
      'environments/prod',
      ...[
        'artifact-registry',
        'cloud-run-app',
        'dedicated-tenant',
        'firestore',
        'iam',
        'kms',
        'monitoring',
        'network',
        'project-services',
        'pubsub',
        'rockpool',
        'scheduler',
        'secrets',
        'service-accounts',
        'storage',
        'tasks',
      ].map((name) => `modules/${name}`),
    ]);
  });

  it('names only what is declared', () => {
    const unresolved = problems((module) =>
      [...referencesOf(module)].filter((reference) => {
        const [kind, name, output] = reference.split('.') as [string, string, string | undefined];
        if (kind === 'var') return !module.variables.has(name);
        if (kind === 'local') return !module.locals.has(name);
        if (kind === 'data') return !module.data.has(`${name}.${output}`);
        if (kind !== 'module') return !module.resources.has(reference);
        const call = module.calls.get(name);
        return !call || (output !== undefined && !modules.get(sourceOf(module, call))?.outputs.has(output));
      }),
    );
    expect(unresolved).toEqual([]);
  });

  it('uses every variable and local value that it declares', () => {
    const unused = problems((module) => {
      const used = referencesOf(module);
      const declared = [
        ...[...module.variables.keys()].map((name) => `var.${name}`),
        ...[...module.locals.keys()].map((name) => `local.${name}`),
      ];
      return declared.filter((name) => !used.has(name));
    });
    expect(unused).toEqual([]);
  });

  it('gives every module what it asks for, and nothing else', () => {
    const wrong = problems((module) =>
      [...module.calls].flatMap(([name, call]) => {
        const called = modules.get(sourceOf(module, call));
        if (!called) return [`module ${name} is nowhere`];
        const given = Object.keys(call).filter((argument) => !metaArguments.has(argument));
        const missing = [...called.variables].filter(([variable, block]) => !('default' in block) && !given.includes(variable));
        return [
          ...given.filter((argument) => !called.variables.has(argument)).map((argument) => `module ${name} has no variable ${argument}`),
          ...missing.map(([variable]) => `module ${name} wants ${variable}`),
        ];
      }),
    );
    expect(wrong).toEqual([]);
  });

  it('says of every variable what it is and of which type, and of every output what it is', () => {
    const silent = problems((module) => [
      ...[...module.variables].filter(([, block]) => !block['description'] || !block['type']).map(([name]) => `variable ${name}`),
      ...[...module.outputs].filter(([, block]) => !block['description']).map(([name]) => `output ${name}`),
    ]);
    expect(silent).toEqual([]);
  });

  it('reads only files that there are', () => {
    expect(problems((module) => filesOf(module).filter((path) => !existsSync(join(repositoryFolder, path))))).toEqual([]);
  });

  it('pins one exact version of each provider, and names all providers that a module needs', () => {
    const versions = new Set<string>();
    const wrong = problems((module) => {
      const [providers] = module.settings['required_providers'] as [Record<string, { source: string; version: string }>];
      for (const [name, { version }] of Object.entries(providers)) versions.add(`${name} ${version}`);
      const needed = [...module.resources.values()].some((block) => block['provider'] !== undefined)
        ? ['google', 'google-beta']
        : ['google'];
      return needed.filter((name) => !(name in providers));
    });
    expect(wrong).toEqual([]);
    expect([...versions].map((version) => version.replace(/ \d+\.\d+\.\d+$/, '')).sort()).toEqual(['google', 'google-beta']);
  });
});
