export * from './webhook-channel.js';
