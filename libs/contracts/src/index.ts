export * from './cloud-event.js';
export * from './crash-point.js';
export * from './errors.js';
export * from './event.js';
export * from './ids.js';
export * from './inbound.js';
export * from './services.js';
export * from './topics.js';
