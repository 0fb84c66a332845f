import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { workspaceRoot } from './projects.js';
import { WorkspaceCopy } from './workspace-copy.js';

describe('a test run', () => {
  let workspace: WorkspaceCopy;

  beforeEach(async () => {
    workspace = await WorkspaceCopy.create();
    const config = { testMatch: ['**/*.spec.cjs'], transform: {}, reporters: ['default', join(workspaceRoot, 'tools/jest-totals.mjs')] };
    await workspace.write('sample/jest.config.json', JSON.stringify(config));
    await workspace.write('sample/passing.spec.cjs', "test('one', () => {}); test('two', () => {});");
  });
  afterEach(() => workspace.remove());

  const run = () => {
    const command = '"$0" node_modules/.bin/jest --config sample/jest.config.json 2>&1';
    const { status, stdout } = spawnSync('sh', ['-c', command, process.execPath], { cwd: workspace.root, env: {}, encoding: 'utf8' });
    return { status, closingLine: stdout.trimEnd().split('\n').at(-1) };
  };

  it('ends with its totals', () => {
    expect(run()).toEqual({ status: 0, closingLine: '2 passed, 0 failed' });
  });

  it('counts what failed, what was skipped, and a suite that could not even start', async () => {
    await workspace.write(
      'sample/failing.spec.cjs',
      "test('three', () => { throw new Error(); }); test.skip('four', () => {}); test.todo('five');",
    );
    await workspace.write('sample/broken.spec.cjs', "require('./nowhere.cjs');");
    expect(run()).toEqual({ status: 1, closingLine: '2 passed, 2 failed, 2 skipped' });
  });
});
