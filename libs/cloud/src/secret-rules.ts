import { InvalidInput } from '@rockpool/contracts';
import type { SecretName } from './secrets.js';

/** Secret Manager takes as much. */
const maxBytes = 65_536;
const namePattern = /^[a-z0-9-]{1,100}$/;

/** Throws `invalid` when the name breaks the rule of {@link SecretName}. */
export function refuseBadSecretName({ tenant, field }: SecretName): void {
  for (const part of [tenant, field]) {
    if (!namePattern.test(part)) throw new InvalidInput('a secret is named by tenant and field, each 1 to 100 of a-z, 0-9 and -');
  }
}

/** The value as it is stored. Throws `invalid`, without quoting it, when a secret cannot have it. */
export function checkedSecretValue(name: SecretName, value: string): Buffer {
  const bytes = Buffer.from(value);
  if (bytes.length === 0 || bytes.length > maxBytes || !value.isWellFormed()) {
    throw new InvalidInput(`the value for ${secretLabel(name)} has to be 1 to ${maxBytes} bytes of text`);
  }
  return bytes;
}

/** How messages name a secret: `secret://alice/telegram-bot-token`. */
export function secretLabel({ tenant, field }: SecretName): string {
  return `secret://${tenant}/${field}`;
}
