import http from 'node:http';
import https from 'node:https';
import { context, propagation } from '@opentelemetry/api';
import type { Identity } from '@rockpool/cloud';
import { RetryLater, RockpoolError, services, type ConversationId, type TenantId } from '@rockpool/contracts';
import type { DriveResult } from '@rockpool/conversations';
import { z } from 'zod';
import type { HostFailure } from './host-breaker.js';
import { HostFrozen } from './host-pulse.js';

/** Answers of a host are ours, and still capped and checked: a host runs what models ask for. */
const maxAnswerBytes = 64 * 1024;
const longestWaitMs = 60_000;
const waitMs = z
  .number()
  .min(0)
  .transform((ms) => Math.min(ms, longestWaitMs));
const driveResult = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('drained') }),
  z.object({ kind: z.literal('held'), ownWake: z.boolean(), retryAfterMs: waitMs }),
  z.object({ kind: z.literal('retry'), retryAfterMs: waitMs, reason: z.string() }),
]);

export interface DriveRequest {
  readonly tenantId: TenantId;
  readonly conversationId: ConversationId;
  readonly wakeId: string;
}

interface HostAnswer {
  readonly status: number;
  readonly body: string;
  readonly retryAfterMs?: number;
}

/** The host failed the call, and did not say when to come back. */
class HostFault extends RockpoolError {
  constructor(
    readonly kind: HostFailure['kind'],
    message: string,
    options?: { cause?: unknown },
  ) {
    super('unavailable', message, options);
  }
}

/** What an error of {@link HostClient.drive} says of the host. A host that names a time is well: it is busy, or about to be replaced. */
export function hostFailureOf(error: unknown, subject: string): HostFailure | undefined {
  return error instanceof HostFault ? { kind: error.kind, subject, reason: error.message } : undefined;
}

/**
 * Pushes a conversation to its tenant's agent host and waits until the host has drained it, which may take as long as an agent does: there is no time limit
 * here, the host has one for each turn. Rejects with `RetryLater` when the host says when to come back.
 */
export class HostClient {
  private readonly agents = { http: new http.Agent({ keepAlive: true }), https: new https.Agent({ keepAlive: true }) };

  constructor(
    private readonly identity: Identity,
    /** Base URL of the pooled host. */
    private readonly hostUrl: () => string,
    /** Audience of the tokens that it accepts. */
    private readonly audience: string,
  ) {}

  async drive(request: DriveRequest, signal: AbortSignal): Promise<DriveResult> {
    const headers: Record<string, string> = { authorization: await this.authorization(), 'content-type': 'application/json' };
    propagation.inject(context.active(), headers);
    const answer = await this.post(new URL('/internal/conversations/drive', this.hostUrl()), headers, JSON.stringify(request), signal);
    if (answer.status === 200) return resultOf(answer.body);
    const reason = `the agent host answered ${answer.status}`;
    if (answer.retryAfterMs !== undefined) throw new RetryLater(Math.min(answer.retryAfterMs, longestWaitMs), reason);
    throw new HostFault('refusal', reason);
  }

  /** Resolves when the host answers anything at all. With a token, since otherwise Cloud Run itself would answer for it. */
  async ask(signal: AbortSignal): Promise<void> {
    const headers = { authorization: await this.authorization() };
    const response = await fetch(new URL('/health', this.hostUrl()), { headers, signal, redirect: 'manual' });
    await response.body?.cancel();
  }

  close(): void {
    this.agents.http.destroy();
    this.agents.https.destroy();
  }

  private async authorization(): Promise<string> {
    return `Bearer ${await this.identity.mint({ audience: this.audience, service: services.dispatcher })}`;
  }

  /** On a connection of its own when it is made `anew`. */
  private post(url: URL, headers: Record<string, string>, body: string, signal: AbortSignal, anew = false): Promise<HostAnswer> {
    const secure = url.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown) => {
        // Most likely an idle connection was closed while this request was on its way, which says nothing about the host. One of its own will tell; pushing a wake twice is harmless.
        if (request.reusedSocket && !answered && !signal.aborted) resolve(this.post(url, headers, body, signal, true));
        else reject(failureAt(url, signal, cause));
      };
      let answered = false;
      const agent = secure ? this.agents.https : this.agents.http;
      const options = { method: 'POST', headers, signal, agent: anew ? false : agent };
      const request = (secure ? https : http).request(url, options, (response) => {
        answered = true;
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > maxAnswerBytes) response.destroy(new Error('the answer is too long'));
          else chunks.push(chunk);
        });
        response.on('error', fail);
        response.on('end', () => {
          const retryAfter = Number(response.headers['retry-after']);
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString('utf8'),
            ...(Number.isFinite(retryAfter) && response.headers['retry-after'] !== undefined && { retryAfterMs: retryAfter * 1000 }),
          });
        });
      });
      request.on('error', fail);
      request.end(body);
    });
  }
}

function resultOf(body: string): DriveResult {
  try {
    return driveResult.parse(JSON.parse(body));
  } catch (cause) {
    throw new HostFault('refusal', 'the agent host answered something else than the result of a drive', { cause });
  }
}

function failureAt({ origin }: URL, signal: AbortSignal, cause: unknown): unknown {
  if (signal.reason instanceof HostFrozen) return new HostFault('frozen', `the agent host at ${origin} hangs`, { cause: signal.reason });
  // The subscription was closed: that is nothing the host did.
  if (signal.aborted) return new RockpoolError('unavailable', 'the push to the agent host was given up', { cause });
  const { code } = cause as { code?: unknown };
  return new HostFault('no-answer', `the agent host at ${origin} does not answer${typeof code === 'string' ? ` (${code})` : ''}`, {
    cause,
  });
}
