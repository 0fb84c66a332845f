import { Random } from '@rockpool/testkit';
import { genuineRequest, nextForgery } from './wire-forgeries.js';
import { Wire } from './wire.js';

/** What became of a run. */
export interface ForgeryReport {
  readonly seed: number;
  readonly tried: number;
  /** Answers by status; `closed` where the connection was closed without one. */
  readonly byStatus: Readonly<Record<string, number>>;
  /** Forgeries that were answered 2xx or 5xx: what they were, with the answer. None is the only good number. */
  readonly failures: readonly string[];
  readonly genuine: { readonly sent: number; readonly accepted: number };
}

const connections = 16;
const genuineEvery = 250;

/**
 * Sends forged requests over many connections at once, and now and then a genuine one among them, from the same address. The same seed gives the same requests,
 * but for the time in them.
 */
export async function sendForgeries(url: string, options: { count: number; seed: number; firstUpdateId: number }): Promise<ForgeryReport> {
  const { count, seed, firstUpdateId } = options;
  const random = new Random(seed);
  const byStatus: Record<string, number> = {};
  const failures: string[] = [];
  const genuine = { sent: 0, accepted: 0 };
  let tried = 0;

  async function work(): Promise<void> {
    const wire = new Wire(new URL(url));
    try {
      while (tried < count) {
        tried++;
        if (tried % genuineEvery === 0) {
          const { status } = await wire.send(genuineRequest(firstUpdateId + genuine.sent++));
          if (status === 200) genuine.accepted++;
        }
        const { what, request } = nextForgery(random);
        const { status, body } = await wire.send(request);
        byStatus[status ?? 'closed'] = (byStatus[status ?? 'closed'] ?? 0) + 1;
        if (status !== undefined && (status < 400 || status >= 500))
          failures.push(`${what}: ${status} ${body} for ${JSON.stringify(request.headers)}`);
      }
    } finally {
      wire.close();
    }
  }

  await Promise.all(Array.from({ length: connections }, work));
  return { seed, tried, byStatus, failures, genuine };
}
