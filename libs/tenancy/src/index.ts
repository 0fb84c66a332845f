export * from './admission.js';
export * from './audit.js';
export * from './credentials.js';
export * from './plans.js';
export * from './routes.js';
export { tenancyIndexes } from './tenant-record.js';
export * from './tenant.js';
export * from './tenants.js';
