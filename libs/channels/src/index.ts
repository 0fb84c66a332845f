export * from './webhook-channel.js';
export * from './web/index.js';
