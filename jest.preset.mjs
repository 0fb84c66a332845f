import { fileURLToPath } from 'node:url';

/** The jest configuration every project shares: sources are read as TypeScript, ESM, without a build. */
export function jestProject(displayName, overrides = {}) {
  return {
    displayName,
    testEnvironment: 'node',
    testMatch: ['<rootDir>/src/**/*.spec.ts'],
    extensionsToTreatAsEsm: ['.ts'],
    moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
    transform: {
      '^.+\\.ts$': [
        '@swc/jest',
        {
          swcrc: false,
          jsc: {
            target: 'es2023',
            parser: { syntax: 'typescript', decorators: true },
            transform: { legacyDecorator: true, decoratorMetadata: true },
            keepClassNames: true,
          },
          module: { type: 'es6' },
          sourceMaps: 'inline',
        },
      ],
    },
    testEnvironmentOptions: { customExportConditions: ['@rockpool/source', 'node', 'node-addons'] },
    setupFiles: [fileURLToPath(new URL('./jest.setup.mjs', import.meta.url))],
    testTimeout: 120_000,
    ...overrides,
  };
}
