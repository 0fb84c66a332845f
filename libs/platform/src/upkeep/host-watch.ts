import { isDeepStrictEqual } from 'node:util';
import type { Documents } from '@rockpool/cloud';
import type { AlertFacts, Alerts } from '@rockpool/service';
import { noRestarts, RestartPolicy, type RestartHistory, type RestartVerdict, type Tenants } from '@rockpool/tenancy';
import { hostPaths, isSilent, type HostRecord } from '../hosts/host-record.js';

/** How long the death of a host is an alert. */
const diedShownMs = 15 * 60_000;
const diedKeptMs = 3_600_000;
/** So many deaths within that time are no accident. */
const manyDeaths = 3;
/** Of the memory a host may use. */
const fullFrom = 0.9;
const fullChecksShown = 3;
const freshMs = 120_000;

/** Looks after agent hosts: who died at work, whose memory is full, who has to be started anew. Each look is a check of `RestartPolicy`: one a minute. */
export class HostWatch {
  constructor(
    private readonly documents: Documents,
    private readonly tenants: Pick<Tenants, 'list'>,
    private readonly alerts: Alerts,
    private readonly now: () => number = Date.now,
  ) {}

  async look(): Promise<void> {
    const hosts = await Promise.all((await this.hosts()).map((host) => this.examine(host)));
    const verdict = await this.restart(hosts);
    await this.alerts.settle('host-', [...this.deaths(hosts), ...fullOnes(hosts), ...usedUp(verdict)]);
  }

  private async hosts(): Promise<HostRecord[]> {
    const { items } = await this.documents.query<HostRecord>({ from: { collection: hostPaths.hosts }, limit: 1000 });
    return items.map(({ data }) => data);
  }

  /** Notes on the host's record what this check found. A host that speaks in that very moment is believed. */
  private async examine(seen: HostRecord): Promise<HostRecord> {
    const now = this.now();
    const isDead = seen.diedAt !== undefined || isSilent(seen, now);
    const fullChecks = this.isFull(seen) && !isDead ? (seen.fullChecks ?? 0) + 1 : 0;
    if (isDead === (seen.diedAt !== undefined) && fullChecks === (seen.fullChecks ?? 0)) return seen;
    return this.documents.transaction(async (transaction) => {
      const path = hostPaths.host(seen.id);
      const host = (await transaction.get<HostRecord>(path))?.data;
      if (!host || host.seenAt !== seen.seenAt) return host ?? seen;
      const next: HostRecord = { ...host, fullChecks, ...(isDead && { diedAt: host.diedAt ?? now }) };
      transaction.set(path, next, { expireAt: new Date((isDead ? now : host.seenAt) + (isDead ? diedKeptMs : 86_400_000)) });
      return next;
    });
  }

  private async restart(hosts: readonly HostRecord[]): Promise<RestartVerdict> {
    const failing = hosts.filter(
      (host) => host.isSupervised && host.diedAt === undefined && host.drainAskedAt === undefined && this.isFull(host),
    );
    const known = await this.documents.get<RestartHistory>(hostPaths.restarts);
    if (failing.length === 0 && !known) return { kind: 'none' };
    const policy = new RestartPolicy((await this.tenants.list()).map(({ spec }) => spec.plan));
    const [worst] = [...failing].sort((one, other) => fullness(other) - fullness(one));
    return this.documents.transaction(async (transaction) => {
      const before = (await transaction.get<RestartHistory>(hostPaths.restarts))?.data ?? noRestarts;
      const host = worst && (await transaction.get<HostRecord>(hostPaths.host(worst.id)))?.data;
      const now = this.now();
      const { verdict, history } = policy.decide(before, host ? 'failing' : 'well', now);
      if (history.asked.length === 0 && history.failing === 0) transaction.delete(hostPaths.restarts);
      else if (!isDeepStrictEqual(history, before)) transaction.set(hostPaths.restarts, history);
      if (verdict.kind === 'restart' && host)
        transaction.set(hostPaths.host(host.id), { ...host, drainAskedAt: now } satisfies HostRecord, {
          expireAt: new Date(now + 86_400_000),
        });
      return verdict;
    });
  }

  /** What a host said that rests is no longer so. */
  private isFull(host: HostRecord): boolean {
    return this.now() - host.seenAt < freshMs && fullness(host) >= fullFrom;
  }

  private deaths(hosts: readonly HostRecord[]): AlertFacts[] {
    const recent = hosts.filter(({ diedAt }) => diedAt !== undefined && this.now() - diedAt < diedShownMs);
    const single = recent
      .filter(({ work }) => work.conversations + work.slices > 0)
      .map(({ id, work, seenAt, version }) => ({
        id: `host-died-${id}`,
        subject: `agent host ${id}`,
        reason: `it died at work (${work.conversations} conversations, ${work.slices} slices of jobs; version ${version}, last heard of ${new Date(seenAt).toISOString()})`,
        remedy: 'nothing is lost: others take its work over when its leases have run out. Its last log lines say why it died',
      }));
    if (recent.length < manyDeaths) return single;
    const many = {
      id: 'host-restarts-often',
      subject: 'agent hosts',
      reason: `${recent.length} died within a quarter of an hour`,
      remedy: 'look at what was deployed or changed last; rockpool inbox --state quarantined names messages that end their process',
    };
    return [...single, many];
  }
}

function fullness({ rssBytes, memoryLimitBytes }: HostRecord): number {
  return rssBytes / memoryLimitBytes;
}

function fullOnes(hosts: readonly HostRecord[]): AlertFacts[] {
  const mib = (bytes: number) => Math.round(bytes / 1024 / 1024);
  return hosts
    .filter(({ fullChecks = 0, diedAt }) => fullChecks >= fullChecksShown && diedAt === undefined)
    .map(({ id, rssBytes, memoryLimitBytes, isSupervised }) => ({
      id: `host-memory-${id}`,
      subject: `memory of agent host ${id}`,
      reason: `it uses ${mib(rssBytes)} of ${mib(memoryLimitBytes)} MiB`,
      remedy: isSupervised
        ? 'it is started anew as the plans allow; if that does not help, give it more memory'
        : 'give the machine more memory, or restart rockpool at a quiet moment: nothing is lost',
    }));
}

function usedUp(verdict: RestartVerdict): AlertFacts[] {
  if (verdict.kind !== 'used-up') return [];
  const reason = `started anew ${verdict.attempts} times, and still not well: no more attempts are made`;
  const remedy = 'find out what fills its memory, or give it more; restarts are counted anew once hosts were well for an hour';
  return [{ id: 'host-restarts-used-up', subject: 'restarts of agent hosts are used up', reason, remedy }];
}
