import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

const nest = ['@nestjs/*', 'fastify', '@fastify/*', 'rxjs', 'rxjs/*'];
const tracingSdk = ['@opentelemetry/sdk-*', '@opentelemetry/exporter-*'];

/** What every consumer may build on, from the wall inwards. */
const domainAndBelow = ['layer:domain', 'layer:port', 'layer:contract'];
const adapterAndBelow = ['layer:adapter', ...domainAndBelow];
const compositionAndBelow = ['layer:composition', ...adapterAndBelow];
const appAndBelow = ['layer:app', ...compositionAndBelow];

/**
 * The walls: app → adapter → domain → port → contract. There is no rule for `*`: a project without a `layer:` tag named here may depend on nothing.
 * `libs/platform` (`layer:composition`) opens the engine and the parts that apps share. Only the command line (`layer:composer`) and the benchmarks compose apps.
 */
const walls = [
  { sourceTag: 'layer:contract', onlyDependOnLibsWithTags: ['layer:contract'], bannedExternalImports: [...nest, ...tracingSdk] },
  { sourceTag: 'layer:port', onlyDependOnLibsWithTags: ['layer:contract'], bannedExternalImports: [...nest, ...tracingSdk] },
  { sourceTag: 'layer:domain', onlyDependOnLibsWithTags: domainAndBelow, bannedExternalImports: [...nest, ...tracingSdk] },
  { sourceTag: 'layer:adapter', onlyDependOnLibsWithTags: domainAndBelow },
  { sourceTag: 'layer:composition', onlyDependOnLibsWithTags: adapterAndBelow, bannedExternalImports: tracingSdk },
  { sourceTag: 'layer:app', onlyDependOnLibsWithTags: compositionAndBelow, bannedExternalImports: tracingSdk },
  { sourceTag: 'layer:composer', onlyDependOnLibsWithTags: appAndBelow, bannedExternalImports: tracingSdk },
  { sourceTag: 'layer:bench', onlyDependOnLibsWithTags: ['layer:test', ...appAndBelow], bannedExternalImports: tracingSdk },
  { sourceTag: 'layer:test', onlyDependOnLibsWithTags: ['layer:test'], bannedExternalImports: [...nest, ...tracingSdk] },
  {
    sourceTag: 'layer:deploy',
    onlyDependOnLibsWithTags: ['layer:deploy', ...appAndBelow],
    bannedExternalImports: [...nest, ...tracingSdk],
  },
  { sourceTag: 'layer:tool', onlyDependOnLibsWithTags: ['layer:tool'], bannedExternalImports: [...nest, ...tracingSdk] },
];

/** What a spec may use besides: real drivers and the simulators. */
const specWalls = walls.map((wall) => {
  switch (wall.sourceTag) {
    case 'layer:contract':
      return { ...wall, onlyDependOnLibsWithTags: ['layer:contract', 'layer:test'] };
    case 'layer:port':
    case 'layer:domain':
    case 'layer:adapter':
      return { ...wall, onlyDependOnLibsWithTags: ['layer:test', ...adapterAndBelow] };
    case 'layer:composition':
    case 'layer:app':
    case 'layer:composer':
    case 'layer:deploy':
      return { ...wall, onlyDependOnLibsWithTags: ['layer:test', ...appAndBelow] };
    default:
      return wall;
  }
});

/** Cloud, model and channel SDKs, each allowed in the projects with the `sdk:` tag of its name. */
const sdks = {
  google: ['@google-cloud', 'google-auth-library', 'google-gax', 'firebase-admin'],
  models: ['@ai-sdk', '@anthropic-ai', 'openai', '@google/genai'],
  channels: ['grammy', '@grammyjs', '@slack', '@discordjs', 'discord.js', 'discord-api-types'],
};

/**
 * Keeps the SDKs at home. By name and not by the project graph: a package that is not installed yet is in no graph, and would be let in the day it is added.
 */
const sdkWalls = projects().map(({ root, tags }) => {
  const foreign = Object.entries(sdks).flatMap(([name, packages]) => (tags.includes(`sdk:${name}`) ? [] : packages));
  const source = `/^(${foreign.map((name) => name.replaceAll('.', '\\.').replaceAll('/', '\\u002f')).join('|')})(\\u002f|$)/`;
  return {
    files: [`${root}/**/*.{ts,mjs}`],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: `:matches(ImportDeclaration, ImportExpression, ExportNamedDeclaration, ExportAllDeclaration, TSImportType)[source.value=${source}]`,
          message: 'This SDK stays behind its wall: only a project whose sdk: tag names it may import it.',
        },
      ],
    },
  };
});

function projects() {
  return ['apps', 'libs', 'tools']
    .flatMap((group) => readdirSync(join(import.meta.dirname, group)).map((name) => `${group}/${name}`))
    .filter((root) => existsSync(join(import.meta.dirname, root, 'package.json')))
    .map((root) => ({ root, tags: JSON.parse(readFileSync(join(import.meta.dirname, root, 'package.json'), 'utf8')).nx?.tags ?? [] }));
}

const boundaries = (depConstraints) => [
  'error',
  {
    enforceBuildableLibDependency: true,
    allow: ['../../jest.preset.mjs'],
    // Commands load what they need when they need it; what a static import of the same package would load early is for `rockpool start` to measure.
    checkDynamicDependenciesExceptions: ['@rockpool/**'],
    depConstraints,
  },
];

const environmentIsPassedOn = 'The environment is read in libs/service/src/config.ts alone, and passed on.';

export default tseslint.config(
  { ignores: ['**/dist/**', '**/out-tsc/**', '**/node_modules/**', '**/fixtures/**', '.nx/**', 'tmp/**', 'apps/ingress/assets/**'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  ...nx.configs['flat/base'],
  prettier,
  {
    files: ['**/*.ts', '**/*.mjs'],
    rules: {
      eqeqeq: ['error', 'always'],
      'no-empty': ['error', { allowEmptyCatch: false }],
      'no-console': 'error',
      // A stream that fails, or hangs, before its first piece is what tests are made of.
      'require-yield': 'off',
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
    },
  },
  ...sdkWalls,
  {
    files: ['{apps,libs,tools}/**/*.{ts,mjs}'],
    rules: { '@nx/enforce-module-boundaries': boundaries(walls) },
  },
  {
    files: ['{apps,libs,tools}/**/*.ts'],
    ignores: ['libs/service/src/config.ts'],
    rules: {
      'no-restricted-properties': ['error', { object: 'process', property: 'env', message: environmentIsPassedOn }],
      'no-restricted-imports': [
        'error',
        { paths: ['process', 'node:process'].map((name) => ({ name, importNames: ['env'], message: environmentIsPassedOn })) },
      ],
    },
  },
  {
    files: ['**/*.spec.ts', '**/testing/**/*.ts', 'apps/e2e/**/*.ts'],
    rules: {
      '@nx/enforce-module-boundaries': boundaries(specWalls),
      'max-lines': ['error', { max: 600, skipBlankLines: true, skipComments: true }],
    },
  },
  // They hand the environment on to the processes they start.
  {
    files: ['**/*.spec.ts', '**/testing/**/*.ts', 'apps/e2e/**/*.ts', 'apps/bench/**/*.ts', 'libs/testkit/**/*.ts', 'tools/**/*.ts'],
    rules: { 'no-restricted-properties': 'off', 'no-restricted-imports': 'off' },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: Object.fromEntries(
        ['AbortSignal', 'Buffer', 'URL', 'clearTimeout', 'console', 'fetch', 'performance', 'process', 'setTimeout'].map((name) => [
          name,
          'readonly',
        ]),
      ),
    },
    rules: { 'no-console': 'off' },
  },
);
