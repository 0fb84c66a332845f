export { type EmbeddedCloud, type EmbeddedCloudOptions, openEmbeddedCloud } from './embedded-cloud.js';
export { Database } from './database.js';
export { SqliteDocuments } from './sqlite-documents.js';
export { SqliteMessageBus } from './sqlite-message-bus.js';
export { EncryptedSecrets, type EncryptedSecretsOptions } from './encrypted-secrets.js';
export { LocalIdentity, type LocalIdentityOptions } from './local-identity.js';
export { FileBlobs, type FileBlobsOptions } from './file-blobs.js';
export { SqliteSpanStore, type SpanStoreOptions } from './sqlite-span-store.js';
export { SqliteTasks, type SqliteTasksOptions } from './sqlite-tasks.js';
