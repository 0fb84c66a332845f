export * from './webhook-channel.js';
export * from './web/index.js';
export * from './markdown/index.js';
