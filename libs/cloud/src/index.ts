export * from './blobs.js';
export * from './cloud.js';
export * from './documents.js';
export * from './identity.js';
export * from './message-bus.js';
export * from './secrets.js';
export * from './tasks.js';
export * from './traces.js';
