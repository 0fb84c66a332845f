import { codeOf, type TenantId } from '@rockpool/contracts';
import type { Alert, PlatformConfig } from '@rockpool/service';
import type { Credentials, Tenant, Tenants } from '@rockpool/tenancy';
import type { Check, ControlPlane } from './control-plane.js';
import type { BotReport, TelegramBots } from './telegram-bots.js';

/** A message that waits for longer than this is worth a word; for longer than the second, it is a fault. */
const lateMs = 60_000;
const stuckMs = 600_000;

interface CheckedParts {
  readonly tenants: Tenants;
  readonly credentials: Credentials;
  readonly config: PlatformConfig;
}

/** Looks at everything of an installation that must work for messages to be answered, and says what to do about what does not. */
export class PlatformChecks {
  constructor(
    private readonly controlPlane: Pick<ControlPlane, 'status'>,
    private readonly parts: CheckedParts,
    private readonly bots: Pick<TelegramBots, 'report'>,
  ) {}

  async run({ network }: { network: boolean }): Promise<Check[]> {
    const engine = await this.#engine();
    try {
      const tenants = await this.parts.tenants.list();
      return [
        ...engine,
        ...(await this.#channels(tenants)),
        ...(await this.#models(tenants)),
        ...(network ? await this.#modelServer() : []),
        ...(network ? (await this.bots.report()).map((report) => telegramCheck(report)) : []),
      ];
    } catch (error) {
      // What an engine that is not well cannot tell has its cause there.
      if (engine.some(({ state }) => state === 'fail')) return engine;
      throw error;
    }
  }

  async #engine(): Promise<Check[]> {
    let status;
    try {
      status = await this.controlPlane.status();
    } catch (error) {
      if (codeOf(error) !== 'unavailable') throw error;
      return [engineFault((error as Error).message)];
    }
    const engine = status.engineProblem
      ? engineFault(status.engineProblem)
      : ({ name: 'engine', state: 'ok', detail: status.engine } as const);
    const queues = status.subscriptions.map(({ name, backlog, oldestAgeMs, deadLetters }): Check => {
      const detail = `${backlog} waiting, the oldest for ${Math.round(oldestAgeMs / 1000)} s, ${deadLetters} dead`;
      if (deadLetters > 0)
        return { name, state: 'warn', detail, remedy: 'rockpool dead-letters shows why; rockpool dead-letters replay puts them back' };
      if (oldestAgeMs <= lateMs) return { name, state: 'ok', detail };
      return {
        name,
        state: oldestAgeMs > stuckMs ? 'fail' : 'warn',
        detail,
        remedy: 'is an instance running? rockpool trace shows where a message waits',
      };
    });
    const quarantined: Check =
      status.quarantined > 0
        ? {
            name: 'quarantine',
            state: 'warn',
            detail: `${status.quarantined} messages failed five times`,
            remedy: 'rockpool inbox list --state quarantined, then rockpool inbox replay or discard',
          }
        : { name: 'quarantine', state: 'ok', detail: 'empty' };
    return [engine, ...queues, quarantined, ...status.alerts.map(alertCheck)];
  }

  async #channels(tenants: readonly Tenant[]): Promise<Check[]> {
    const problems: Check[] = [];
    for (const channel of await this.parts.credentials.sharedChannels()) {
      if (!(await this.parts.credentials.endpoint(channel, undefined))) problems.push(missingSecret(`shared ${channel}`, 'platform'));
    }
    for (const { id, spec } of tenants) {
      for (const channel of ['telegram', 'slack', 'http'] as const) {
        const settings = spec.channels[channel];
        const isOwn = settings && !('shared' in settings && settings.shared);
        if (isOwn && !(await this.parts.credentials.endpoint(channel, id))) problems.push(missingSecret(`${id} ${channel}`, id));
      }
    }
    if (tenants.length === 0) {
      return [{ name: 'tenants', state: 'warn', detail: 'there is none', remedy: 'rockpool apply tenants.example.yaml' }];
    }
    const ready: Check = { name: 'tenants', state: 'ok', detail: `${tenants.length}, and the secrets of all their channels are stored` };
    return problems.length > 0 ? problems : [ready];
  }

  async #models(tenants: readonly Tenant[]): Promise<Check[]> {
    const { ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY, OPENAI_BASE_URL } = this.parts.config;
    const platformHas: Record<string, boolean> = {
      anthropic: ANTHROPIC_API_KEY !== undefined,
      openai: OPENAI_API_KEY !== undefined,
      google: GEMINI_API_KEY !== undefined,
      'openai-compatible': OPENAI_BASE_URL !== undefined,
    };
    const available = Object.keys(platformHas).filter((provider) => platformHas[provider]);
    const problems = await Promise.all(tenants.map((tenant) => this.#modelProblem(tenant, platformHas)));
    const platform: Check =
      available.length > 0
        ? { name: 'models', state: 'ok', detail: available.join(', ') }
        : { name: 'models', state: 'warn', detail: 'no key is set: the demo model answers', remedy: modelRemedy };
    return [platform, ...problems.filter((problem) => problem !== undefined)];
  }

  async #modelProblem({ id, spec }: Tenant, platformHas: Readonly<Record<string, boolean>>): Promise<Check | undefined> {
    const [provider = ''] = spec.agent.model.split('/');
    const ownKeys = Object.keys(spec.agent.keys).filter((key) => spec.agent.keys[key as keyof typeof spec.agent.keys] !== undefined);
    try {
      await this.parts.credentials.modelKeys(id);
    } catch (error) {
      return { name: `${id} model`, state: 'fail', detail: (error as Error).message, remedy: `rockpool secrets set ${id} <field>` };
    }
    if (!(provider in platformHas) || platformHas[provider] || ownKeys.includes(provider)) return undefined;
    return {
      name: `${id} model`,
      state: 'fail',
      detail: `wants ${spec.agent.model}, and there is no key for ${provider}`,
      remedy: `set the platform's key, or agent.keys.${provider} of the tenant`,
    };
  }

  async #modelServer(): Promise<Check[]> {
    const base = this.parts.config.OPENAI_BASE_URL;
    if (base === undefined) return [];
    const key = this.parts.config.OPENAI_API_KEY;
    const remedy = 'check OPENAI_BASE_URL and OPENAI_API_KEY, and that the server runs';
    try {
      const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
      const { status } = await fetch(`${base}/models`, { headers, signal: AbortSignal.timeout(5_000) });
      if (status === 401 || status === 403)
        return [{ name: 'model server', state: 'fail', detail: `${base} refuses the key (${status})`, remedy }];
      // A gateway need not list its models: any other answer shows that somebody is there.
      return [{ name: 'model server', state: 'ok', detail: `${base} answers` }];
    } catch {
      return [{ name: 'model server', state: 'fail', detail: `${base} does not answer`, remedy }];
    }
  }
}

/** An engine says in one line what is wrong and what to do. */
function engineFault(problem: string): Check {
  const [detail = problem, remedy = 'see the log of the instance'] = problem.split('; ', 2);
  return { name: 'engine', state: 'fail', detail, remedy };
}

/** What lasts is a fault; what is over is worth knowing for a week. */
function alertCheck({ subject: name, reason, remedy, since, overAt }: Alert): Check {
  if (overAt === undefined) return { name, state: 'fail', detail: `${reason}, since ${new Date(since).toISOString()}`, remedy };
  return {
    name,
    state: 'ok',
    detail: `well since ${new Date(overAt).toISOString()}; before, from ${new Date(since).toISOString()}: ${reason}`,
  };
}

const modelRemedy = 'set ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY, or OPENAI_BASE_URL';

function missingSecret(name: string, owner: TenantId | 'platform'): Check {
  return {
    name,
    state: 'fail',
    detail: 'a secret is not stored, so every delivery is refused',
    remedy: `rockpool secrets set ${owner} <field>, or apply again`,
  };
}

function telegramCheck(report: BotReport): Check {
  const name = `${report.tenantId ?? 'shared'} telegram bot`;
  const again = 'rockpool apply <file> --set-webhooks';
  if (report.problem) {
    const remedy = report.problem.reachable
      ? 'check the token at @BotFather, then rockpool secrets set'
      : 'check the network of this machine';
    return { name, state: report.problem.reachable ? 'fail' : 'warn', detail: report.problem.text, remedy };
  }
  const bot = `@${report.username ?? 'unnamed'}`;
  if (!report.webhookUrl) return { name, state: 'fail', detail: `${bot} has no webhook: Telegram delivers nowhere`, remedy: again };
  if (report.expectedUrl !== undefined && report.webhookUrl !== report.expectedUrl) {
    return { name, state: 'fail', detail: `${bot} delivers to ${report.webhookUrl}`, remedy: again };
  }
  if (report.lastError && (report.pendingUpdates ?? 0) > 0) {
    return {
      name,
      state: 'warn',
      detail: `${bot}: ${report.pendingUpdates} updates wait; ${report.lastError}`,
      remedy: 'see what this URL answers',
    };
  }
  return { name, state: 'ok', detail: `${bot} delivers to ${report.webhookUrl}` };
}
