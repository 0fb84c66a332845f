import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { adminToken, readAdminToken } from './admin-token.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rockpool-token-'));
});

afterEach(() => rm(folder, { recursive: true }));

describe('the admin token', () => {
  it('is made once, of 256 random bits, for this user alone', async () => {
    const dataDir = join(folder, 'data');
    expect(await readAdminToken(dataDir)).toBeUndefined();
    const token = await adminToken(dataDir);
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    expect((await stat(join(dataDir, 'admin-token'))).mode & 0o777).toBe(0o600);
    expect(await adminToken(dataDir)).toBe(token);
    expect(await readAdminToken(dataDir)).toBe(token);
  });

  it('is one and the same for all who want it first', async () => {
    const tokens = await Promise.all(Array.from({ length: 10 }, () => adminToken(folder)));
    expect(new Set(tokens).size).toBe(1);
  });

  it('may be set by the operator beforehand', async () => {
    await writeFile(join(folder, 'admin-token'), 'chosen\n');
    expect(await adminToken(folder)).toBe('chosen');
  });
});
