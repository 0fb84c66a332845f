import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { repositoryFolder } from '../repository.js';

const infra = join(repositoryFolder, 'infra');
const formatted = spawnSync('terraform', ['fmt', '-check', '-recursive', '-diff', infra], { encoding: 'utf8' });
const missing = formatted.error ? ' (skipped: no terraform on this machine)' : '';

(missing ? describe.skip : describe)(`the layout of Terraform files${missing}`, () => {
  it('is what terraform fmt makes', () => {
    expect(formatted.stdout).toBe('');
    expect(formatted.status).toBe(0);
  });
});

describe('Terraform files', () => {
  it('have no tabs, no spaces at the end of a line, and end with one line break', () => {
    const untidy = globSync('**/*.tf', { cwd: infra }).filter((name) => {
      const text = readFileSync(join(infra, name), 'utf8');
      return /\t|[ \t]\n|\r/.test(text) || !/[^\n]\n$/.test(text);
    });
    expect(untidy).toEqual([]);
  });
});
