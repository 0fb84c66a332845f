import { Conflict, InvalidInput, tenantId, type TenantId } from '@rockpool/contracts';
import type { Documents, SecretName, Secrets } from '@rockpool/cloud';
import { telegramAccount } from './credentials.js';
import { routesOf, type BotAccounts } from './routes.js';
import { valueProblem } from './secret-plan.js';
import { alertSecretSlots, platform, secretSlots, sharedSecretSlots, type SecretSlot } from './secret-refs.js';
import { platformPath, routePath, tenantPath, type PlatformRecord, type RouteRecord, type TenantRecord } from './tenant-record.js';
import { TenantRecords } from './tenant-records.js';
import type { TenantSpec } from './tenant.js';

/** Sets single secrets of tenants and of the platform. */
export class TenantSecrets {
  readonly #records: TenantRecords;

  constructor(
    private readonly documents: Documents,
    private readonly secrets: Secrets,
    now: () => number = Date.now,
  ) {
    this.#records = new TenantRecords(documents, now);
  }

  /**
   * Stores a new value; running apps use it within seconds. The owner may be a tenant that does not exist yet, so that secrets can be there before the file
   * that refers to them. When the value is the token of another bot, the routes move to that bot. Rejects with `invalid` for a value that cannot be
   * right, and with `conflict` when the bot is another tenant's.
   */
  async set({ tenant: owner, field }: SecretName, value: string, actor = 'cli'): Promise<void> {
    if (owner !== platform && !tenantId.safeParse(owner).success) throw new InvalidInput(`${owner} is neither a tenant id nor ${platform}`);
    if (!/^[a-z0-9-]{1,80}$/.test(field)) throw new InvalidInput('the name of a secret has 1 to 80 of a-z, 0-9 and -');
    const slots = owner === platform ? await this.#sharedSlots() : await this.#tenantSlots(owner as TenantId);
    const slot = slots.find(({ name }) => name.tenant === owner && name.field === field);
    const problem = valueProblem(slot?.path.at(-1), value);
    if (problem) throw new InvalidInput(problem);
    // The bot that tells operators receives nothing, so no route leads to it.
    const isBot = slot?.path.slice(-2).join('.') === 'telegram.botToken' && !(owner === platform && field.startsWith('alerts-'));
    const account = isBot ? telegramAccount(value) : undefined;

    const accounts = account === undefined ? undefined : { ownTelegram: account };
    if (owner !== platform && accounts) await this.#refuseTakenBot(owner as TenantId, accounts);
    await this.secrets.put({ tenant: owner, field }, value);
    if (owner !== platform) await this.#change(owner as TenantId, accounts, field, actor);
    else if (account !== undefined) await this.#moveSharedRoutes(account, actor);
  }

  /** Before the value is stored, because a tenant must not be left with another one's token. */
  async #refuseTakenBot(id: TenantId, accounts: BotAccounts): Promise<void> {
    const record = await this.documents.get<TenantRecord>(tenantPath(id));
    for (const route of record ? movedRoutes(record.data.spec, [], accounts) : []) {
      const holder = (await this.documents.get<RouteRecord>(routePath(route)))?.data.tenantId;
      if (holder !== undefined && holder !== id) throw new Conflict(`this is the bot of ${holder}; it cannot be ${id}'s too`);
    }
  }

  async #moveSharedRoutes(sharedTelegram: string, actor: string): Promise<void> {
    for (const [id, { data }] of await this.#records.all()) {
      const isOnIt = data.status === 'active' && data.spec.channels.telegram?.shared === true;
      if (isOnIt) await this.#change(id, { sharedTelegram }, 'routes', actor);
    }
  }

  /** Writes the record anew even when no route moves: it is how running apps learn that something of this tenant changed. */
  async #change(id: TenantId, accounts: BotAccounts | undefined, subject: string, actor: string): Promise<void> {
    await this.#records.change(id, {
      desired: (current) => {
        if (!current) return undefined;
        const { spec, status, routes } = current.data;
        return { spec, status, routes: accounts && status === 'active' ? movedRoutes(spec, routes, accounts) : routes };
      },
      fact: { actor, action: subject === 'routes' ? 'move-routes' : 'set-secret', subjects: [subject] },
    });
  }

  async #tenantSlots(id: TenantId): Promise<SecretSlot[]> {
    const record = await this.documents.get<TenantRecord>(tenantPath(id));
    return record ? secretSlots(id, record.data.spec) : [];
  }

  async #sharedSlots(): Promise<SecretSlot[]> {
    const record = await this.documents.get<PlatformRecord>(platformPath);
    return record ? [...sharedSecretSlots(record.data.shared), ...alertSecretSlots(record.data.alerts ?? {})] : [];
  }
}

/** Telegram's routes are computed anew for the bot; those of other channels stay. */
function movedRoutes(spec: TenantSpec, routes: readonly string[], accounts: BotAccounts): string[] {
  const onlyTelegram = { ...spec, channels: { telegram: spec.channels.telegram } };
  return [...routes.filter((route) => !route.startsWith('telegram:')), ...routesOf(onlyTelegram, accounts)];
}
