import { HttpWebhookChannel, SlackWebhookChannel, TelegramWebhookChannel } from '@rockpool/channels';
import type { App } from '@rockpool/platform';
import { IngressModule } from './ingress.module.js';

/** The front door. */
export const ingressApp: App = {
  name: 'ingress',
  summary: 'takes webhooks and the web chat’s messages, and shows the web chat.',
  module: ({ config }) =>
    IngressModule.register({
      channels: [new TelegramWebhookChannel(), new SlackWebhookChannel(), new HttpWebhookChannel()],
      spoolFolder: config.ROCKPOOL_SPOOL_DIR,
    }),
};
