import type { SecretName, Secrets } from '@rockpool/cloud';
import type { StoppedEngine } from '@rockpool/cloud-embedded';

/** Signs URLs of the embedded engine's own endpoint; Cloud Storage signs its own. */
const engineOwn = 'platform/blob-url-key';

/** Secrets that are moved, in order. */
export async function movedSecrets(source: StoppedEngine): Promise<SecretName[]> {
  const names = await source.secretNames();
  return names
    .filter(({ tenant, field }) => `${tenant}/${field}` !== engineOwn)
    .sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
}

/** `alice/telegram-bot-token` */
export const nameOf = ({ tenant, field }: SecretName): string => `${tenant}/${field}`;

/** All enabled values, newest first, each once where it follows itself: no engine stores the current value again. */
export async function enabledValues(secrets: Pick<Secrets, 'getAll'>, name: SecretName): Promise<string[]> {
  const values = await secrets.getAll(name);
  return values.filter((value, index) => value !== values[index - 1]);
}
