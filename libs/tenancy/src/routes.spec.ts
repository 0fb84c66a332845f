import { describe, expect, it } from '@jest/globals';
import { routeId, routesOf } from './routes.js';
import { tenantSpec } from './tenant.js';

const spec = (channels: object) => tenantSpec.parse({ channels });
const refs = { botToken: 'secret://a/b', webhookSecret: 'secret://a/c' };

describe('the routes of a tenant', () => {
  it('are its own bot and its own Slack team as a whole', () => {
    const own = spec({
      telegram: { ...refs, allowFrom: [1] },
      slack: { team: 'T1', botToken: 'secret://a/d', signingSecret: 'secret://a/e' },
    });
    expect(routesOf(own, { ownTelegram: '111', sharedTelegram: '999' })).toEqual(['telegram:111', 'slack:T1']);
  });

  it('are the people and groups of a shared bot', () => {
    const shared = spec({ telegram: { shared: true, people: [1], groups: [-5] } });
    expect(routesOf(shared, { sharedTelegram: '999' })).toEqual(['telegram:999:user:1', 'telegram:999:chat:-5']);
  });

  it('are the channels and people of a shared Slack app, and the team only when it is open', () => {
    const slack = { shared: true, team: 'T1', channels: ['C1'], people: ['U1'] };
    expect(routesOf(spec({ slack }), {})).toEqual(['slack:T1:channel:C1', 'slack:T1:user:U1']);
    expect(routesOf(spec({ slack: { ...slack, dmPolicy: 'open' } }), {})).toEqual(['slack:T1', 'slack:T1:channel:C1', 'slack:T1:user:U1']);
  });

  it('escape what a provider may put into an id', () => {
    expect(routeId('slack', 'T/1', 'user:U:1')).toBe('slack:T%2F1:user:U%3A1');
  });
});
