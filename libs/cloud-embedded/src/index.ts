export { Database } from './database.js';
export { SqliteMessageBus } from './sqlite-message-bus.js';
export { EncryptedSecrets, type EncryptedSecretsOptions } from './encrypted-secrets.js';
export { LocalIdentity, type LocalIdentityOptions } from './local-identity.js';
