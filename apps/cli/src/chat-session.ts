import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readAdminToken } from '@rockpool/console';
import { RockpoolError, Unauthenticated, codeOf } from '@rockpool/contracts';
import { z } from 'zod';
import { problemOfResponse, unreachable } from './chat-client.js';

const stored = z.object({ url: z.string(), token: z.string(), expiresAt: z.string() });
type StoredSession = z.output<typeof stored>;

/**
 * The terminal's session with one tenant: kept in the data folder, mode 0600, so that the next call continues the conversation. The first time it comes by a link
 * that the admin API makes with this installation's token, or from the page itself where the chat is public.
 */
export class ChatSession {
  readonly #file: string;

  constructor(
    private readonly dataDir: string,
    private readonly url: string,
    private readonly tenant: string,
  ) {
    this.#file = join(dataDir, 'chat', `${tenant}.json`);
  }

  /** The token of the session so far, or of a new one. Rejects with `not_found` for a tenant without web chat and `unavailable` when nothing answers. */
  async token(): Promise<string> {
    const known = await this.#read();
    if (known && known.url === this.url && Date.parse(known.expiresAt) > Date.now() + 60_000) return known.token;
    return this.renew();
  }

  /** Begins a new conversation: the token of a new visitor, which takes the place of the former one. */
  async renew(): Promise<string> {
    const link = await this.#link();
    const response = await this.#post(`/chat/${this.tenant}/session`, link === undefined ? {} : { link });
    if (!response.ok) throw await this.#refusal(response);
    const session = z.object({ token: z.string(), expiresAt: z.string() }).parse(await response.json());
    await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
    await writeFile(this.#file, JSON.stringify({ url: this.url, ...session } satisfies StoredSession), { mode: 0o600 });
    return session.token;
  }

  /** Forgets the session; the conversation stays on the server. */
  async forget(): Promise<void> {
    await rm(this.#file, { force: true });
  }

  /** `undefined` where none is needed, or none can be made from here. */
  async #link(): Promise<string | undefined> {
    const admin = await readAdminToken(this.dataDir);
    if (admin === undefined) return undefined;
    const response = await this.#post(`/api/v1/tenants/${this.tenant}/chat-links`, {}, admin);
    if (!response.ok) {
      const problem = await problemOfResponse(response);
      // The token of this data folder is not the one of the instance at --url: a public chat needs none.
      if (problem.code === 'unauthenticated' || problem.code === 'forbidden') return undefined;
      if (problem.code === 'not_found') throw new RockpoolError('not_found', `there is no tenant ${this.tenant}; rockpool tenants lists them`);
      throw problem;
    }
    const { path } = z.object({ path: z.string() }).parse(await response.json());
    return new URL(path, this.url).searchParams.get('link') ?? undefined;
  }

  async #refusal(response: Response): Promise<RockpoolError> {
    const problem = await problemOfResponse(response);
    if (codeOf(problem) !== 'unauthenticated') return problem;
    return new Unauthenticated(
      `${this.tenant} has no public chat at ${this.url}; run this where its data folder is, or set ROCKPOOL_DATA_DIR to that folder`,
    );
  }

  async #post(path: string, body: object, token?: string): Promise<Response> {
    const headers = { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) };
    try {
      return await fetch(`${this.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    } catch (cause) {
      throw unreachable(this.url, cause);
    }
  }

  async #read(): Promise<StoredSession | undefined> {
    try {
      return stored.parse(JSON.parse(await readFile(this.#file, 'utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
      throw error;
    }
  }
}
