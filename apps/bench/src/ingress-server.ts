// The ingress alone, on the embedded engine: verify, publish, fsync, 2xx. Nobody consumes what it publishes.
import { Global, Module } from '@nestjs/common';
import { HttpWebhookChannel, SlackWebhookChannel, TelegramWebhookChannel, webIndexes } from '@rockpool/channels';
import { openEmbeddedCloud } from '@rockpool/cloud-embedded';
import { subscriptions } from '@rockpool/contracts';
import { conversationIndexes, Inbox } from '@rockpool/conversations';
import { IngressModule } from '@rockpool/ingress';
import { loadConfig, startService } from '@rockpool/service';
import { Credentials, TenantDirectory, tenancyIndexes, Tenants, tenantsFile } from '@rockpool/tenancy';

const [secret = '', botToken = ''] = process.argv.slice(2);
const config = loadConfig();
const cloud = await openEmbeddedCloud({
  dataDir: config.ROCKPOOL_DATA_DIR,
  keyFile: config.ROCKPOOL_KEY_FILE,
  baseUrl: () => 'http://127.0.0.1',
  subscriptions: Object.values(subscriptions),
  indexes: [...tenancyIndexes, ...conversationIndexes, ...webIndexes],
  queues: [],
});
const directory = new TenantDirectory(cloud.documents, cloud.secrets);
const telegram = { botToken: 'secret://bench/bot', webhookSecret: 'secret://bench/webhook' };
const file = tenantsFile.parse({ tenants: { bench: { channels: { telegram: { ...telegram, dmPolicy: 'open' } } } } });
await directory.apply(await directory.plan(file, { 'bench/bot': botToken, 'bench/webhook': secret }), 'bench');

const tenants = new Tenants(cloud.documents);
const shared = [
  { provide: Tenants, useValue: tenants },
  { provide: Credentials, useValue: new Credentials(tenants, cloud.secrets, cloud.documents) },
  { provide: Inbox, useValue: new Inbox(cloud.documents) },
];

@Global()
@Module({ providers: shared, exports: shared.map(({ provide }) => provide) })
class Shared {}

@Module({
  imports: [
    Shared,
    IngressModule.register({ channels: [new TelegramWebhookChannel(), new SlackWebhookChannel(), new HttpWebhookChannel()] }),
  ],
})
class IngressAlone {}

await startService({ name: 'ingress', module: IngressAlone, config, cloud });
