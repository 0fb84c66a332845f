import { createHash } from 'node:crypto';
import type { DriveResult } from '@rockpool/conversations';
import type { Alerts, Logger } from '@rockpool/service';
import { HostBreaker, type BreakerLimits, type BreakerState } from './host-breaker.js';
import { hostFailureOf, type DriveRequest, type HostClient } from './host-client.js';
import { HostGate } from './host-gate.js';
import { HostPulse } from './host-pulse.js';

export interface AgentHostOptions {
  /** Base URL. */
  readonly url: () => string;
  /** How often its health is asked after while calls are under way; absent: never, for a host that is this very process. */
  readonly pulseEveryMs?: number;
  readonly limits?: BreakerLimits;
}

/** When a push is to end, and where to tell that it is under way. */
export interface DriveSignals {
  /** Ends the push. */
  readonly signal: AbortSignal;
  /** Ends waiting for the host. */
  readonly ending: AbortSignal;
  /** Called before each push: from now on it counts what the host finds in the inbox. */
  readonly onBegin: () => void;
}

const remedy = 'see that it runs and can be reached (ROCKPOOL_AGENT_HOST_URL); conversations wait meanwhile, nothing is lost';

/** An agent host behind its circuit breaker, whose state operators are told: a log line, an alert, a word in /readyz. */
export class AgentHost {
  readonly #breaker: HostBreaker;
  readonly #gate: HostGate;
  /** One after the other, so that what is on record is the latest. */
  #told = Promise.resolve();
  readonly #pulse: HostPulse | undefined;

  constructor(
    private readonly client: Pick<HostClient, 'drive' | 'ask'>,
    private readonly alerts: Alerts,
    private readonly log: Pick<Logger, 'info' | 'warn' | 'error'>,
    private readonly options: AgentHostOptions,
  ) {
    this.#breaker = new HostBreaker(options.limits);
    this.#gate = new HostGate(this.#breaker, hostFailureOf, (state, waiting) => {
      this.#told = this.#told.then(() => this.#tell(state, waiting));
    });
    const { pulseEveryMs: everyMs } = options;
    if (everyMs === undefined) return;
    this.#pulse = new HostPulse({ ask: (signal) => client.ask(signal), everyMs, onAlive: () => this.#gate.alive() });
  }

  /** What is wrong, in words that anyone may read; `undefined` when nothing is. */
  problem(): string | undefined {
    const { state } = this.#breaker;
    if (state.kind === 'closed') return undefined;
    return `the agent host does not take conversations since ${new Date(state.since).toISOString()}; they wait`;
  }

  /** Pushes a conversation once the host takes any. Rejects as `HostClient.drive` does, and with `RetryLater` when `ending` aborts first. */
  drive(request: DriveRequest, { signal, ending, onBegin }: DriveSignals): Promise<DriveResult> {
    return this.#gate.run(`${request.tenantId}/${request.conversationId}`, ending, () => {
      onBegin();
      const push = (until: AbortSignal) => this.client.drive(request, until);
      return this.#pulse ? this.#pulse.during(signal, push) : push(signal);
    });
  }

  async #tell(state: BreakerState, waiting: number): Promise<void> {
    const subject = this.options.url();
    const id = `agent-host-${createHash('sha256').update(subject).digest('hex').slice(0, 8)}`;
    try {
      if (state.kind === 'open') {
        this.log.error(
          { host: subject, reason: state.reason, waiting },
          'the agent host does not take conversations: they wait until it does',
        );
        await this.alerts.raise({ id, subject: `agent host ${subject}`, reason: state.reason, remedy });
      } else {
        this.log.info({ host: subject, waiting }, 'the agent host takes conversations');
        await this.alerts.clear(id);
      }
    } catch (error) {
      this.log.warn({ error }, 'the state of the agent host could not be put on record');
    }
  }
}
