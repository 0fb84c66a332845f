import { errorCodes, RockpoolError, type ErrorCode, type Problem } from '@rockpool/contracts';

interface Request {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: object;
  readonly signal?: AbortSignal;
}

/** Looking at thousands of bots takes its time; nothing else here does. */
const timeoutMs = 120_000;

/** `/api/v1` of a running instance. Failures keep the code and words they had there; no answer is `unavailable`. */
export class ConsoleApi {
  constructor(
    private readonly url: string,
    private readonly adminToken: string,
  ) {}

  /** What a route with a list answers. */
  async items<Item>(route: string, request?: Request): Promise<Item[]> {
    return (await this.send<{ items: Item[] }>(route, request)).items;
  }

  /** What the route answers, which is taken to be an `Answer`; `undefined` where there is no content. */
  async send<Answer>(route: string, { method = 'GET', query = {}, body, signal }: Request = {}): Promise<Answer> {
    const url = new URL(`${this.url}/api/v1/${route}`);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
    const headers = { authorization: `Bearer ${this.adminToken}`, ...(body && { 'content-type': 'application/json' }) };
    const timeout = AbortSignal.timeout(timeoutMs);
    const request = { method, headers, signal: signal ? AbortSignal.any([signal, timeout]) : timeout };
    const response = await fetch(url, { ...request, ...(body && { body: JSON.stringify(body) }) }).catch((cause: unknown) => {
      throw new RockpoolError('unavailable', `${this.url} does not answer`, { cause });
    });
    if (!response.ok) throw await this.#failure(response);
    return (response.status === 204 ? undefined : await response.json()) as Answer;
  }

  async #failure(response: Response): Promise<RockpoolError> {
    const text = await response.text();
    const problem = response.headers.get('content-type')?.includes('json') ? (JSON.parse(text) as Partial<Problem>) : {};
    const code: ErrorCode = problem.code !== undefined && problem.code in errorCodes ? problem.code : 'unavailable';
    const where = `${this.url} answered ${response.status}`;
    if (code === 'unauthenticated') return new RockpoolError(code, `${this.url} refuses the admin token; is it another installation's?`);
    return new RockpoolError(code, problem.detail ?? where);
  }
}

/** A path with its values escaped: ids of events and jobs hold characters that mean something in a URL. */
export function path(parts: TemplateStringsArray, ...values: string[]): string {
  return String.raw({ raw: parts }, ...values.map(encodeURIComponent));
}
