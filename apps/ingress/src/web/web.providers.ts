import { WebFeed, WebSessions } from '@rockpool/channels';
import { Documents, Secrets } from '@rockpool/cloud';
import { EventPublisher, LOGGER, Shutdown, provide } from '@rockpool/service';
import { Tenants } from '@rockpool/tenancy';
import { WebAccess } from './web-access.js';
import { WebChat } from './web-chat.js';
import { WebPages } from './web-pages.js';
import { WebStreams } from './web-streams.js';

/** What `WebController` needs; `Tenants` and `EventPublisher` come from the app's module. */
export const webProviders = [
  provide(WebSessions, Secrets),
  provide(WebFeed, Documents),
  provide(WebPages),
  provide(WebAccess, Tenants, WebSessions),
  provide(WebChat, EventPublisher, WebFeed),
  provide(WebStreams, WebFeed, Shutdown, LOGGER),
];
