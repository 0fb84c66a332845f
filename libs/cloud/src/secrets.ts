/**
 * Names one secret: `tenant` and `field` as in `secret://alice/telegram-bot-token`, each 1 to 100 of a-z, 0-9 and `-`; other names are refused with `invalid`.
 * The platform's own secrets have the tenant `platform`.
 */
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

/**
 * Versioned secrets, encrypted at rest with the name as additional authenticated data: a ciphertext moved to another name does not decrypt. No error says what a
 * value is.
 */
export abstract class Secrets {
  /**
   * Adds a version and resolves with its number. Storing the current value (the newest enabled one) again adds none. A value is text of 1 to 65,536 bytes in UTF-8;
   * another is refused with `invalid`.
   */
  abstract put(name: SecretName, value: string): Promise<number>;
  /** The newest enabled version, or the one asked for. Rejects with `not_found` when it does not exist or is disabled. */
  abstract get(name: SecretName, version?: number): Promise<string>;
  /** All enabled values, newest first: what a verifier accepts while a secret is being rotated. Empty when there is none. */
  abstract getAll(name: SecretName): Promise<string[]>;
  /** Newest first; empty when there is none. */
  abstract versions(name: SecretName): Promise<SecretVersion[]>;
  /** From now on the version is neither read nor accepted. Again is no error; rejects with `not_found` when there is no such version. */
  abstract disable(name: SecretName, version: number): Promise<void>;
  /** Removes all versions for good; the next one stored is version 1. Absent is no error. */
  abstract delete(name: SecretName): Promise<void>;
  /** Fields that exist for a tenant, sorted. Values are not read. */
  abstract list(tenant: string): Promise<string[]>;
}
