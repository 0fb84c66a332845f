export { HttpWebhookChannel } from './http-webhook-channel.js';
