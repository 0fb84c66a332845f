export { identityContract, type IdentityHarness } from './identity.contract.js';
export { secretsContract, type SecretsHarness } from './secrets.contract.js';
