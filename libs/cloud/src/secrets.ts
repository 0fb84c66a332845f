/** Names one secret: `tenant` and `field` as in `secret://alice/telegram-bot-token`. The platform's own secrets have the tenant `platform`. */
export interface SecretName {
  readonly tenant: string;
  readonly field: string;
}

export interface SecretVersion {
  /** 1, 2, 3 … */
  readonly version: number;
  readonly createdAt: Date;
  readonly state: 'enabled' | 'disabled';
}

/** Versioned secrets, encrypted at rest with the name as additional authenticated data: a ciphertext moved to another name does not decrypt. */
export abstract class Secrets {
  /** Adds a version and resolves with its number. Storing the current value again adds none. */
  abstract put(name: SecretName, value: string): Promise<number>;
  /** The newest enabled version, or the one asked for. Rejects with `not_found`. */
  abstract get(name: SecretName, version?: number): Promise<string>;
  /** All enabled values, newest first: what a verifier accepts while a secret is being rotated. Empty when there is none. */
  abstract getAll(name: SecretName): Promise<string[]>;
  abstract versions(name: SecretName): Promise<SecretVersion[]>;
  abstract disable(name: SecretName, version: number): Promise<void>;
  /** Removes all versions for good. Absent is no error. */
  abstract delete(name: SecretName): Promise<void>;
  /** Fields that exist for a tenant, sorted. Values are not read. */
  abstract list(tenant: string): Promise<string[]>;
}
