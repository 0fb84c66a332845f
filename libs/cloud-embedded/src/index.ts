export { Database } from './database.js';
export { LocalIdentity, type LocalIdentityOptions } from './local-identity.js';
