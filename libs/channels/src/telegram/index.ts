export { getTelegramMe, setTelegramWebhook } from './set-telegram-webhook.js';
export { TelegramWebhookChannel } from './telegram-webhook-channel.js';
