import type { SecretName, Secrets } from '@rockpool/cloud';
import type { SecretSlot } from './secret-refs.js';
import { storedSecret } from './secret-refs.js';
import type { SettingsProblem } from './tenants-file.js';

/** `alice/telegram-bot-token`: how secret values are handed to a plan. */
const secretKey = ({ tenant, field }: SecretName): string => `${tenant}/${field}`;

/** What a value of a setting must look like, where its provider says so. */
const formats: Readonly<Record<string, { pattern: RegExp; rule: string }>> = {
  webhookSecret: { pattern: /^[A-Za-z0-9_-]{1,256}$/, rule: 'Telegram allows 1 to 256 of A-Z, a-z, 0-9, _ and -' },
  webhookUrl: {
    pattern: /^(?:https:\/\/[^\s/@]+|http:\/\/(?:127\.0\.0\.1|localhost)(?::\d+)?)\/\S+$/,
    rule: 'an incoming webhook of Slack is an https:// address',
  },
  secret: { pattern: /^whsec_[A-Za-z0-9+/]+={0,2}$/, rule: 'a Standard Webhooks secret is whsec_ followed by base64' },
};

/** Why this value cannot be the secret of this setting; the value is not quoted. */
export function valueProblem(setting: string | undefined, value: string): string | undefined {
  if (value === '') return 'the value is empty';
  if (value !== value.trim() || /\p{Cc}/u.test(value)) return 'the value has a line break, a control character, or a blank at its end';
  const format = formats[setting ?? ''];
  return format && !format.pattern.test(value) ? format.rule : undefined;
}

/** What planning found out about one owner's secrets. */
export interface OwnerSecrets {
  readonly writes: readonly { name: SecretName; value: string }[];
  readonly problems: readonly SettingsProblem[];
}

/** Compares the secrets that settings refer to with those that are given and those that are stored. Reads, never writes. */
export class SecretPlan {
  readonly #used = new Set<string>();

  constructor(
    private readonly secrets: Secrets,
    private readonly given: Readonly<Record<string, string>>,
  ) {}

  /** What must be written for these slots of one owner, and what is missing. `at` is where the owner's settings begin. */
  async compare(owner: string, slots: readonly SecretSlot[], at: readonly string[]): Promise<OwnerSecrets> {
    const stored = new Set(slots.length > 0 ? await this.secrets.list(owner) : []);
    const writes = new Map<string, { name: SecretName; value: string }>();
    const problems: SettingsProblem[] = [];
    for (const { path, ref, name } of slots) {
      const refuse = (message: string) => problems.push({ path: [...at, ...path], message });
      const value = this.#take(name);
      if (value === undefined) {
        if (!storedSecret(ref)) refuse(`${ref} was not resolved`);
        // Another owner's secret is refused by the settings' own rules; whether it exists is not said.
        else if (name.tenant === owner && !stored.has(name.field))
          refuse(`${ref} is not stored: rockpool secrets set ${owner} ${name.field}`);
        continue;
      }
      const problem = valueProblem(path.at(-1), value);
      if (problem) refuse(problem);
      else if (!stored.has(name.field) || (await this.secrets.getAll(name))[0] !== value) writes.set(name.field, { name, value });
    }
    return { writes: [...writes.values()], problems };
  }

  /** The value a slot will have once the plan is applied; `undefined` when it will have none. */
  async value({ name }: SecretSlot): Promise<string | undefined> {
    return this.#take(name) ?? (await this.secrets.getAll(name))[0];
  }

  /** Given values that no setting refers to: a typing mistake, or a secret that would be lost without a word. */
  leftOver(): string[] {
    return Object.keys(this.given).filter((key) => !this.#used.has(key));
  }

  #take(name: SecretName): string | undefined {
    const key = secretKey(name);
    if (!Object.hasOwn(this.given, key)) return undefined;
    this.#used.add(key);
    return this.given[key];
  }
}
