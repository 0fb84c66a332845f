/** All projects in one run, so that workers are shared and the totals are of everything. */
export default {
  projects: ['<rootDir>/libs/*/jest.config.mjs', '<rootDir>/apps/*/jest.config.mjs', '<rootDir>/tools/*/jest.config.mjs'],
  globalSetup: '<rootDir>/tools/jest-emulators.mjs',
  globalTeardown: '<rootDir>/tools/jest-emulators-end.mjs',
  testSequencer: '<rootDir>/tools/jest-sequencer.mjs',
  reporters: ['default', '<rootDir>/tools/jest-totals.mjs'],
  // End-to-end tests start the product and a browser; two workers on two cores, each recycled before it grows large.
  maxWorkers: 2,
  workerIdleMemoryLimit: '1GB',
  testTimeout: 120_000,
};
