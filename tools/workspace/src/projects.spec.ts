import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { workspaceProjects, workspaceRoot } from './projects.js';

const projects = workspaceProjects();
const layers = ['contract', 'port', 'domain', 'adapter', 'composition', 'app', 'composer', 'bench', 'test', 'deploy', 'tool'].map(
  (layer) => `layer:${layer}`,
);
const sdks = ['none', 'google', 'models', 'channels'].map((sdk) => `sdk:${sdk}`);

function referencesOf(file: string): string[] {
  const { references } = JSON.parse(readFileSync(join(workspaceRoot, file), 'utf8')) as { references: { path: string }[] };
  return references.map(({ path }) => path.replace(/^\.\//, ''));
}

describe('a project', () => {
  it.each(projects.map(({ root, tags }) => [root, tags] as const))('%s has one layer and one sdk', (_root, tags) => {
    expect(tags.filter((tag) => tag.startsWith('layer:')).map((tag) => [tag, layers.includes(tag)])).toEqual([[expect.anything(), true]]);
    expect(tags.filter((tag) => tag.startsWith('sdk:')).map((tag) => [tag, sdks.includes(tag)])).toEqual([[expect.anything(), true]]);
  });

  it('is type-checked with the others', () => {
    expect(referencesOf('tsconfig.json').sort()).toEqual(projects.map(({ root }) => root).sort());
  });

  it('is built with the others when it runs from its build', () => {
    const built = projects
      // Generators run from their sources, and nobody but their tests runs what keeps the workspace right.
      .filter(({ tags }) => !tags.includes('layer:tool'))
      .flatMap(({ root }) =>
        ['app', 'lib'].map((kind) => `${root}/tsconfig.${kind}.json`).filter((file) => existsSync(join(workspaceRoot, file))),
      );
    expect(referencesOf('tsconfig.build.json').sort()).toEqual(built.sort());
  });
});

describe('the layers', () => {
  it('are those of the design', () => {
    const inLayer = (layer: string) => projects.filter(({ tags }) => tags.includes(`layer:${layer}`)).map(({ root }) => root);
    expect(inLayer('contract')).toEqual(['libs/contracts']);
    expect(inLayer('port')).toEqual(['libs/cloud']);
    expect(inLayer('composer')).toEqual(['apps/cli']);
    for (const root of inLayer('domain')) {
      expect(['libs/agent', 'libs/conversations', 'libs/jobs', 'libs/models', 'libs/tenancy']).toContain(root);
    }
    for (const root of inLayer('app')) expect(root).toMatch(/^apps\//);
  });
});
