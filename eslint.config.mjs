import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

const nest = ['@nestjs/*', 'fastify', 'rxjs', 'rxjs/*'];
const google = ['@google-cloud/*'];
const tracingSdk = ['@opentelemetry/sdk-*', '@opentelemetry/exporter-*'];
const modelSdks = ['@ai-sdk/*'];
const channelSdks = ['grammy', '@grammyjs/*', '@slack/*', '@discordjs/*'];

/**
 * The walls: app → adapter → domain → port → contract. There is no rule for `*`: a project whose tags no rule names may depend on nothing.
 * Every project carries one `layer:` tag and one `sdk:` tag, which says whose SDKs it may import.
 */
const walls = [
  { sourceTag: 'layer:contract', onlyDependOnLibsWithTags: ['layer:contract'], bannedExternalImports: [...nest, ...tracingSdk] },
  { sourceTag: 'layer:port', onlyDependOnLibsWithTags: ['layer:contract'], bannedExternalImports: [...nest, ...tracingSdk] },
  {
    sourceTag: 'layer:domain',
    onlyDependOnLibsWithTags: ['layer:domain', 'layer:port', 'layer:contract'],
    bannedExternalImports: [...nest, ...tracingSdk],
  },
  { sourceTag: 'layer:adapter', onlyDependOnLibsWithTags: ['layer:domain', 'layer:port', 'layer:contract'] },
  {
    sourceTag: 'layer:app',
    onlyDependOnLibsWithTags: ['layer:adapter', 'layer:domain', 'layer:port', 'layer:contract'],
    bannedExternalImports: tracingSdk,
  },
  // Only the command line composes apps.
  {
    sourceTag: 'layer:composer',
    onlyDependOnLibsWithTags: ['layer:app', 'layer:adapter', 'layer:domain', 'layer:port', 'layer:contract'],
    bannedExternalImports: tracingSdk,
  },
  { sourceTag: 'layer:test', onlyDependOnLibsWithTags: ['layer:test'], bannedExternalImports: [...nest, ...tracingSdk] },
  { sourceTag: 'sdk:none', bannedExternalImports: [...google, ...modelSdks, ...channelSdks] },
  { sourceTag: 'sdk:models', bannedExternalImports: [...google, ...channelSdks] },
  { sourceTag: 'sdk:channels', bannedExternalImports: [...google, ...modelSdks] },
];

/** What a spec may use besides: real drivers and the simulators. */
const specWalls = [
  { sourceTag: 'layer:contract', onlyDependOnLibsWithTags: ['layer:contract', 'layer:test'] },
  ...['port', 'domain', 'adapter'].map((layer) => ({
    sourceTag: `layer:${layer}`,
    onlyDependOnLibsWithTags: ['layer:adapter', 'layer:domain', 'layer:port', 'layer:contract', 'layer:test'],
  })),
  ...['app', 'composer'].map((layer) => ({
    sourceTag: `layer:${layer}`,
    onlyDependOnLibsWithTags: ['layer:app', 'layer:adapter', 'layer:domain', 'layer:port', 'layer:contract', 'layer:test'],
  })),
  { sourceTag: 'layer:test', onlyDependOnLibsWithTags: ['layer:test'] },
  { sourceTag: 'sdk:none', bannedExternalImports: google },
];

const boundaries = (depConstraints) => ['error', { enforceBuildableLibDependency: true, allow: [], depConstraints }];

export default tseslint.config(
  { ignores: ['**/dist/**', '**/out-tsc/**', '**/node_modules/**', '**/fixtures/**', '.nx/**', 'apps/ingress/assets/**'] },
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
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
    },
  },
  {
    files: ['apps/**/*.ts', 'libs/**/*.ts', 'tools/**/*.ts'],
    rules: {
      '@nx/enforce-module-boundaries': boundaries(walls),
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'The environment is read in libs/service/src/config.ts alone, and passed on.' },
      ],
    },
  },
  {
    files: ['**/*.spec.ts', '**/testing/**/*.ts', 'apps/e2e/**/*.ts'],
    rules: {
      '@nx/enforce-module-boundaries': boundaries(specWalls),
      'no-restricted-properties': 'off',
      'max-lines': ['error', { max: 600, skipBlankLines: true, skipComments: true }],
    },
  },
  { files: ['libs/service/src/config.ts', 'libs/testkit/**/*.ts'], rules: { 'no-restricted-properties': 'off' } },
  {
    files: ['**/*.mjs'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly', setTimeout: 'readonly', fetch: 'readonly' } },
    rules: { 'no-console': 'off' },
  },
);
