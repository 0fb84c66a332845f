import { describe, expect, it } from '@jest/globals';
import { inboundMessage, type InboundMessage, type TenantId } from '@rockpool/contracts';
import * as fc from 'fast-check';
import { admit } from './admission.js';
import { tenantSpec, type Tenant } from './tenant.js';

function tenantWith(channels: object, more: object = {}): Tenant {
  return { id: 'alice' as TenantId, version: '1', spec: tenantSpec.parse({ ...more, channels }) };
}

function message(change: Partial<Omit<InboundMessage, 'target' | 'sender'>> & { target?: object; sender?: object } = {}): InboundMessage {
  return inboundMessage.parse({
    eventId: 'e1',
    conversationId: 'c1',
    kind: 'message',
    providerType: 'message',
    chatKind: 'direct',
    text: 'hello',
    addressed: true,
    sentAt: '2026-01-01T00:00:00Z',
    receivedAt: '2026-01-01T00:00:00Z',
    ...change,
    target: { channel: 'telegram', account: '1', chatId: '12345', ...change.target },
    sender: { id: '12345', ...change.sender },
  });
}

const refs = { botToken: 'secret://alice/a', webhookSecret: 'secret://alice/b' };
const slackRefs = { team: 'T1', botToken: 'secret://alice/a', signingSecret: 'secret://alice/b' };
const alice = tenantWith({ telegram: { ...refs, allowFrom: ['12345'], groups: ['-100'] } });
const run = { kind: 'run' };
const drop = (reason: string) => ({ kind: 'drop', reason });

describe('admission', () => {
  it('runs a message of a listed person', () => {
    expect(admit(alice, message())).toEqual(run);
  });

  it('drops everybody when nobody is listed', () => {
    expect(admit(tenantWith({ telegram: refs }), message())).toEqual(drop('sender-not-allowed'));
  });

  it('runs anybody under an open policy, in direct chats only', () => {
    const open = tenantWith({ telegram: { ...refs, dmPolicy: 'open' } });
    expect(admit(open, message({ sender: { id: '999' } }))).toEqual(run);
    expect(admit(open, message({ chatKind: 'group', target: { chatId: '-7' } }))).toEqual(drop('group-not-allowed'));
  });

  it('answers in a listed group when it is addressed, whoever does it', () => {
    const inGroup = { chatKind: 'group', target: { chatId: '-100' }, sender: { id: '999' } } as const;
    expect(admit(alice, message(inGroup))).toEqual(run);
    expect(admit(alice, message({ ...inGroup, addressed: false }))).toEqual(drop('not-addressed'));
  });

  it('only records what is not a message, and drops it like a message when the sender is a stranger', () => {
    expect(admit(alice, message({ kind: 'edit' }))).toEqual({ kind: 'record', reason: 'edit' });
    expect(admit(alice, message({ kind: 'callback', sender: { id: '999' } }))).toEqual(drop('sender-not-allowed'));
  });

  it('drops what is for nobody, for a suspended tenant, or from a bot', () => {
    expect(admit(undefined, message())).toEqual(drop('unknown-tenant'));
    expect(admit(tenantWith({ telegram: { ...refs, allowFrom: ['12345'] } }, { suspended: true }), message())).toEqual(drop('suspended'));
    expect(admit(alice, message({ sender: { isBot: true } }))).toEqual(drop('sender-is-bot'));
  });

  it('drops what came through a channel or bot the tenant does not have', () => {
    expect(admit(alice, message({ target: { channel: 'web' } }))).toEqual(drop('channel-not-configured'));
    expect(admit(alice, message({ target: { shared: true } }))).toEqual(drop('channel-not-configured'));
  });

  it('lets the listed people and groups of a shared bot in', () => {
    const bob = tenantWith({ telegram: { shared: true, people: ['67890'] } });
    expect(admit(bob, message({ target: { shared: true }, sender: { id: '67890' } }))).toEqual(run);
    expect(admit(bob, message({ target: { shared: true } }))).toEqual(drop('sender-not-allowed'));
    expect(admit(bob, message({ target: { shared: true, chatId: '-5' }, chatKind: 'group', sender: { id: '67890' } }))).toEqual(
      drop('group-not-allowed'),
    );
  });

  it('lets a whole Slack team in, but no other team', () => {
    const own = tenantWith({ slack: slackRefs });
    const inSlack = (account: string, shared = false) =>
      message({ target: { channel: 'slack', account, chatId: 'D1', shared }, sender: { id: 'U1' } });
    expect(admit(own, inSlack('T1'))).toEqual(run);
    expect(admit(own, inSlack('T2'))).toEqual(drop('channel-not-configured'));
    expect(admit(tenantWith({ slack: { shared: true, team: 'T1' } }), inSlack('T1', true))).toEqual(drop('sender-not-allowed'));
    expect(admit(tenantWith({ slack: { shared: true, team: 'T1', dmPolicy: 'open' } }), inSlack('T1', true))).toEqual(run);
  });

  it('lets a guest of another Slack workspace in only by name, in channels too', () => {
    const from = (id: string, chatKind: 'direct' | 'group') =>
      message({ target: { channel: 'slack', account: 'T1', chatId: 'C1' }, chatKind, sender: { id } });
    const own = tenantWith({ slack: { ...slackRefs, allowFrom: ['T9:U1'] } });
    for (const chatKind of ['direct', 'group'] as const) {
      expect(admit(own, from('U2', chatKind))).toEqual(run);
      expect(admit(own, from('T9:U1', chatKind))).toEqual(run);
      expect(admit(own, from('T9:U2', chatKind))).toEqual(drop('sender-not-allowed'));
    }
  });

  it('keeps to the listed Slack channels', () => {
    const own = tenantWith({ slack: { ...slackRefs, channels: ['C1'] } });
    const inChannel = (chatId: string) =>
      message({ target: { channel: 'slack', account: 'T1', chatId }, chatKind: 'group', sender: { id: 'U1' } });
    expect(admit(own, inChannel('C1'))).toEqual(run);
    expect(admit(own, inChannel('C2'))).toEqual(drop('group-not-allowed'));
  });

  it('never runs an event of a person and a place that are not listed, whatever kind it is', () => {
    const ids = fc.constantFrom('1', '2', '3', '-4', '-5', 'U1', 'C1', 'T9:U1');
    const lists = fc.uniqueArray(ids, { maxLength: 3 });
    const event = fc.record({
      kind: fc.constantFrom('message', 'edit', 'reaction', 'callback', 'membership', 'status', 'other'),
      chatKind: fc.constantFrom('direct', 'group'),
      addressed: fc.boolean(),
      channel: fc.constantFrom('telegram', 'slack'),
      shared: fc.boolean(),
      isBot: fc.boolean(),
      sender: ids,
      chatId: ids,
    });
    fc.assert(
      fc.property(
        event,
        lists,
        lists,
        fc.boolean(),
        ({ kind, chatKind, addressed, channel, shared, isBot, sender, chatId }, people, places, own) => {
          const settings =
            channel === 'telegram'
              ? own
                ? { ...refs, allowFrom: people, groups: places }
                : { shared: true, people, groups: places }
              : own
                ? { ...slackRefs, dmPolicy: 'allowlist', allowFrom: people, channels: ['C9', ...places] }
                : { shared: true, team: 'T1', people, channels: places };
          const target = { channel, account: 'T1', chatId, shared };
          const event = message({ kind, chatKind, addressed, target, sender: { id: sender, isBot } } as Parameters<typeof message>[0]);
          const isGuest = channel === 'slack' && sender.includes(':');
          const isListed =
            chatKind === 'direct' ? people.includes(sender) : places.includes(chatId) && (!isGuest || people.includes(sender));
          const mayRun = kind === 'message' && !isBot && shared === !own && isListed && (chatKind === 'direct' || addressed);
          const outcome = admit(tenantWith({ [channel]: settings }), event).kind;
          expect(outcome === 'run').toBe(mayRun);
          if (!isListed) expect(outcome).toBe('drop');
        },
      ),
      { numRuns: 2000 },
    );
  });
});
