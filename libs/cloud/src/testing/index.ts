export { identityContract, type IdentityHarness } from './identity.contract.js';
