export * from './web-feed.js';
export * from './web-message.js';
export * from './web-reply-channel.js';
export * from './web-sessions.js';
