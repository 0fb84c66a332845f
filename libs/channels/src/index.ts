export * from './http/index.js';
export * from './markdown/index.js';
export * from './operators/index.js';
export * from './reply-channels.js';
export * from './slack/index.js';
export * from './telegram/index.js';
export * from './web/index.js';
export * from './webhook-channel.js';
