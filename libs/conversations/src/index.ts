export * from './agent-runtime.js';
export * from './reply-channel.js';
