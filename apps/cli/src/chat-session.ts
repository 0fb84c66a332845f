import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readAdminToken, type ChatLink } from '@rockpool/console';
import { Unauthenticated, codeOf, type TenantId } from '@rockpool/contracts';
import { z } from 'zod';
import { problemOfResponse, unreachable } from './chat-client.js';
import { environment } from './environment.js';
import { HttpControlPlane } from './http-control-plane.js';

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
    private readonly tenant: TenantId,
    /** Makes a link where the instance at `url` is not the one that does. */
    private readonly makeLink?: () => Promise<ChatLink>,
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
    const response = await fetch(`${this.url}/chat/${this.tenant}/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ link }),
    }).catch((cause: unknown) => {
      throw unreachable(this.url, cause);
    });
    if (response.status === 401) {
      throw new Unauthenticated(
        `${this.tenant} has no public chat at ${this.url}, and there is no admin token to make a link with. Name the data folder: --data-dir`,
      );
    }
    if (!response.ok) throw await problemOfResponse(response);
    const session = z.object({ token: z.string(), expiresAt: z.string() }).parse(await response.json());
    await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
    await writeFile(this.#file, JSON.stringify({ url: this.url, ...session } satisfies StoredSession), { mode: 0o600 });
    return session.token;
  }

  /** `undefined` where none is needed, or none can be made from here. */
  async #link(): Promise<string | undefined> {
    if (this.makeLink) return this.#tokenOf(await this.makeLink());
    const admin = environment['ROCKPOOL_ADMIN_TOKEN'] ?? (await readAdminToken(this.dataDir));
    if (!admin) return undefined;
    try {
      return this.#tokenOf(await new HttpControlPlane(this.url, admin).chatLink(this.tenant));
    } catch (error) {
      // This installation's token is not the one of the instance at --url: for a public chat none is needed.
      if (codeOf(error) === 'unauthenticated') return undefined;
      throw error;
    }
  }

  #tokenOf({ path }: ChatLink): string | undefined {
    return new URL(path, this.url).searchParams.get('link') ?? undefined;
  }

  async #read(): Promise<StoredSession | undefined> {
    try {
      return stored.parse(JSON.parse(await readFile(this.#file, 'utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError || error instanceof z.ZodError)
        return undefined;
      throw error;
    }
  }
}
