export { identityContract, type IdentityHarness } from './identity.contract.js';
export { secretsContract, type SecretsHarness } from './secrets.contract.js';
export { eventually } from './eventually.js';
export { messageBusContract, messageOf, subscriptionFor, type OpenBus, type OpenedBus } from './message-bus.contract.js';
export { gate, Recorder, textOf } from './recorder.js';
export { blobsContract, type BlobsHarness } from './blobs.contract.js';
