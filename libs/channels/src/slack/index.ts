export { SlackWebhookChannel } from './slack-webhook-channel.js';
