export { expiryOf } from './firestore/expiry.js';
export { openGoogleCloud, type GoogleCloud, type GoogleCloudOptions, type GoogleEndpoints } from './google-cloud.js';
