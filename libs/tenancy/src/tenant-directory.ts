import { Conflict, InvalidInput, type TenantId } from '@rockpool/contracts';
import type { Document, Documents, Secrets } from '@rockpool/cloud';
import { closedChannels } from './channel-warnings.js';
import { telegramAccount } from './credentials.js';
import { routesOf } from './routes.js';
import { SecretPlan, type OwnerSecrets } from './secret-plan.js';
import { alertSecretSlots, platform, secretSlots, sharedSecretSlots, withStoredRefs, type SecretSlot } from './secret-refs.js';
import { platformPath, type PlatformRecord, type TenantRecord } from './tenant-record.js';
import { TenantRecords, type DesiredRecord } from './tenant-records.js';
import { changedFields, type Plan, type TenantChange } from './tenant-plan.js';
import { checkSettings, type SettingsProblem } from './tenants-file.js';
import type { TenantSpec, TenantsFile } from './tenant.js';

/** What belongs to no tenant: the shared bots, and how operators are told. */
interface PlatformStep {
  readonly shared: readonly string[];
  readonly alerts: readonly string[];
  readonly before: Document<PlatformRecord> | undefined;
  readonly after: PlatformRecord;
  readonly writes: OwnerSecrets['writes'];
}

interface TenantStep {
  readonly change: TenantChange;
  readonly before: Document<TenantRecord> | undefined;
  readonly after: DesiredRecord;
  readonly writes: OwnerSecrets['writes'];
}

interface Steps {
  readonly platform: PlatformStep;
  readonly tenants: readonly TenantStep[];
  /** Who held each route when the plan was made: such a holder gives it up when another tenant claims it. */
  readonly heldBy: ReadonlyMap<string, TenantId>;
}

/** What one look at everything found, while it is being gathered. */
interface Survey {
  readonly secrets: SecretPlan;
  readonly problems: SettingsProblem[];
  readonly warnings: SettingsProblem[];
}

/**
 * Makes the stored tenants be what `tenants.yaml` says: all of them, and no others. A removed tenant keeps its secrets, and its data for `removedKeptDays`, and has them back
 * when it is added again.
 */
export class TenantDirectory {
  readonly #records: TenantRecords;
  /** The steps hold secret values, so they stay apart from the plan, which is printed and sent. */
  readonly #steps = new WeakMap<Plan, Steps>();

  constructor(
    private readonly documents: Documents,
    private readonly secrets: Secrets,
    now: () => number = Date.now,
  ) {
    this.#records = new TenantRecords(documents, now);
  }

  /** True until a tenant was applied for the first time. */
  async isEmpty(): Promise<boolean> {
    return (await this.documents.query({ from: { collection: 'tenants' }, limit: 1 })).items.length === 0;
  }

  /**
   * Compares the file with what is stored; writes nothing. `given` holds the values of secrets, by `owner/field`: one for every `env://` and `file://` of the
   * file, which the caller resolves because only he sees that environment, and any for `secret://` ones that are to be set with it. `others`: problems that the caller sees by rules of his own.
   */
  async plan(file: TenantsFile, given: Readonly<Record<string, string>> = {}, others: readonly SettingsProblem[] = []): Promise<Plan> {
    const survey: Survey = { secrets: new SecretPlan(this.secrets, given), problems: [...checkSettings(file), ...others], warnings: [] };
    const stored = await this.#records.all();
    const { step: ofPlatform, telegram } = await this.#surveyPlatform(survey, file);
    const present = await this.#surveyTenants(survey, file, stored, telegram);
    const removed = [...stored.values()]
      .filter(({ id, data }) => data.status === 'active' && !Object.hasOwn(file.tenants, id))
      .map((before) => stepOf(before.id as TenantId, before, { spec: before.data.spec, status: 'removed', routes: [] }, []));
    survey.problems.push(
      ...survey.secrets.leftOver().map((key) => ({ path: [key], message: 'a value was given for it, but no setting refers to it' })),
    );

    const changed = [...removed, ...present.filter(({ change }) => change.kind !== 'changed' || change.fields.length > 0)];
    const plan: Plan = {
      changes: changed.map(({ change }) => change).sort((a, b) => (a.id < b.id ? -1 : 1)),
      unchanged: removed.length + present.length - changed.length,
      shared: ofPlatform.shared,
      alerts: ofPlatform.alerts,
      problems: survey.problems,
      warnings: survey.warnings,
    };
    const heldBy = new Map([...stored].flatMap(([id, { data }]) => data.routes.map((route) => [route, id] as const)));
    this.#steps.set(plan, { platform: ofPlatform, tenants: changed, heldBy });
    return plan;
  }

  /**
   * Carries a plan out, tenant by tenant; each is written with its routes and its audit entry in one transaction. After a failure or a crash, planning and
   * applying again does the rest; applying a plan twice does nothing more. Rejects with `invalid` when it has problems, with `conflict` when somebody
   * changed a tenant since it was made.
   */
  async apply(plan: Plan, actor = 'cli'): Promise<void> {
    const steps = this.#steps.get(plan);
    if (!steps) throw new InvalidInput('a plan can be applied only by the directory that made it');
    const [problem] = plan.problems;
    if (problem) throw new InvalidInput(`the plan has a problem at ${problem.path.join('.')}: ${problem.message}`);
    if (steps.platform.shared.length + steps.platform.alerts.length > 0) await this.#applyPlatform(steps.platform);
    await this.#applyTenants(steps, actor);
  }

  async #surveyPlatform(survey: Survey, { shared, alerts }: TenantsFile): Promise<{ step: PlatformStep; telegram: string | undefined }> {
    const slots = { shared: sharedSecretSlots(shared), alerts: alertSecretSlots(alerts) };
    const bots = await survey.secrets.compare(platform, slots.shared, ['shared']);
    const tellers = await survey.secrets.compare(platform, slots.alerts, ['alerts']);
    survey.problems.push(...bots.problems, ...tellers.problems);
    const before = await this.documents.get<PlatformRecord>(platformPath);
    const after = { shared: withStoredRefs(shared, slots.shared), alerts: withStoredRefs(alerts, slots.alerts) };
    const step: PlatformStep = {
      shared: fieldsOf(before?.data.shared ?? {}, after.shared, bots.writes),
      alerts: fieldsOf(before?.data.alerts ?? {}, after.alerts, tellers.writes),
      before,
      after,
      writes: [...bots.writes, ...tellers.writes],
    };
    return { step, telegram: await botAccount(survey.secrets, slots.shared) };
  }

  async #surveyTenants(
    survey: Survey,
    { tenants }: TenantsFile,
    stored: ReadonlyMap<TenantId, Document<TenantRecord>>,
    sharedTelegram: string | undefined,
  ): Promise<TenantStep[]> {
    const steps: TenantStep[] = [];
    const claimedBy = new Map<string, TenantId>();
    for (const [id, spec] of Object.entries(tenants) as [TenantId, TenantSpec][]) {
      const at = ['tenants', id];
      const slots = secretSlots(id, spec);
      const { writes, problems } = await survey.secrets.compare(id, slots, at);
      survey.problems.push(...problems);
      survey.warnings.push(...closedChannels(spec).map(({ path, message }) => ({ path: [...at, ...path], message })));
      const routes = routesOf(spec, { ownTelegram: await botAccount(survey.secrets, slots), sharedTelegram });
      for (const route of routes) {
        const other = claimedBy.get(route);
        if (other === undefined) claimedBy.set(route, id);
        else
          survey.problems.push({
            path: [...at, 'channels'],
            message: `${other} and ${id} both claim ${route}; only one of them can have it`,
          });
      }
      steps.push(stepOf(id, stored.get(id), { spec: withStoredRefs(spec, slots), status: 'active', routes }, writes));
    }
    return steps;
  }

  async #applyPlatform({ before, after, writes }: PlatformStep): Promise<void> {
    for (const { name, value } of writes) await this.secrets.put(name, value);
    await this.documents.transaction(async (transaction) => {
      const current = await transaction.get<PlatformRecord>(platformPath);
      if (current && changedFields(current.data, after).length === 0) return;
      if (current?.version !== before?.version)
        throw new Conflict('the settings of the platform were changed since this plan was made: plan again');
      transaction.set(platformPath, after);
    });
  }

  /** Several at a time, since the engine commits together what comes together. After a failure those under way are finished, and no other is begun. */
  async #applyTenants({ tenants, heldBy }: Steps, actor: string): Promise<void> {
    const remaining = [...tenants].reverse();
    const work = async () => {
      for (let step = remaining.pop(); step; step = remaining.pop()) {
        await this.#applyTenant(step, heldBy, actor).catch((error: unknown) => {
          remaining.length = 0;
          throw error;
        });
      }
    };
    const results = await Promise.allSettled(Array.from({ length: 16 }, work));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  async #applyTenant({ change, before, after, writes }: TenantStep, heldBy: Steps['heldBy'], actor: string): Promise<void> {
    for (const { name, value } of writes) await this.secrets.put(name, value);
    const action = { added: 'add', changed: 'change', removed: 'remove' }[change.kind];
    await this.#records.change(change.id, {
      desired: (current) => {
        if (current?.version === before?.version) return after;
        if (current && changedFields(desiredPart(current.data), after).length === 0) return undefined;
        throw new Conflict(`tenant ${change.id} was changed since this plan was made: plan again`);
      },
      mayTake: (route, holder) => heldBy.get(route) === holder,
      fact: { actor, action, subjects: change.fields },
    });
  }
}

function stepOf(id: TenantId, before: TenantStep['before'], after: DesiredRecord, writes: OwnerSecrets['writes']): TenantStep {
  const kind = after.status === 'removed' ? 'removed' : before?.data.status === 'active' ? 'changed' : 'added';
  const fields = kind === 'changed' ? fieldsOf(before?.data.spec, after.spec, writes) : [];
  const onlyRoutes = kind === 'changed' && fields.length === 0 && changedFields(before?.data.routes, after.routes).length > 0;
  return { change: { id, kind, fields: onlyRoutes ? ['routes'] : fields }, before, after, writes };
}

function fieldsOf(before: unknown, after: unknown, writes: OwnerSecrets['writes']): string[] {
  return [...changedFields(before, after), ...writes.map(({ name }) => `secrets.${name.field}`)];
}

const desiredPart = ({ spec, status, routes }: TenantRecord): DesiredRecord => ({ spec, status, routes });

/** Id of the Telegram bot that these settings' token will be of. */
async function botAccount(secrets: SecretPlan, slots: readonly SecretSlot[]): Promise<string | undefined> {
  const slot = slots.find(({ path }) => path.slice(-2).join('.') === 'telegram.botToken');
  const token = slot && (await secrets.value(slot));
  return token ? telegramAccount(token) : undefined;
}
