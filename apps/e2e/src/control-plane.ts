import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the product on this data folder says that it answers. */
export async function readInstance(dataDir: string): Promise<{ readonly url: string }> {
  return JSON.parse(await readFile(join(dataDir, 'instance.json'), 'utf8')) as { url: string };
}

/** Asks the running product on this data folder for `/api/v1/<path>`, as an operator, and resolves with the answer's JSON. Rejects when it is refused. */
export async function askControlPlane<Answer>(dataDir: string, path: string, method = 'GET'): Promise<Answer> {
  const { url } = await readInstance(dataDir);
  const token = await readFile(join(dataDir, 'admin-token'), 'utf8');
  return ask(url, token.trim(), path, method);
}

/** Asks the console at this address for `/api/v1/<path>`, and resolves with the answer's JSON. Rejects when it is refused. */
export async function ask<Answer>(url: string, token: string, path: string, method = 'GET'): Promise<Answer> {
  const response = await fetch(`${url}/api/v1/${path}`, { method, headers: { authorization: `Bearer ${token}` } });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Answer;
}
