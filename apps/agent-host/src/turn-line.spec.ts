import { describe, expect, it } from '@jest/globals';
import { conversationId, eventId, tenantId } from '@rockpool/contracts';
import type { TurnRecord } from '@rockpool/conversations';
import { turnFacts } from './turn-line.js';

const turn = {
  tenantId: tenantId.parse('alice'),
  conversationId: conversationId.parse('telegram:1:2'),
  eventId: eventId.parse('telegram:1:3'),
  message: { text: 'a secret' },
  state: 'done',
  attempts: 1,
  receivedAt: 1_000,
  finishedAt: 3_500,
  usage: { model: 'test/echo', inputTokens: 3, outputTokens: 5 },
} as unknown as TurnRecord;

describe('the line of a turn that ended', () => {
  it('says how long it took and what it cost, and nothing of what was said', () => {
    expect(turnFacts(turn)).toEqual({
      tenantId: 'alice',
      eventId: 'telegram:1:3',
      conversationId: 'telegram:1:2',
      outcome: 'done',
      attempts: 1,
      durationMs: 2_500,
      model: 'test/echo',
      inputTokens: 3,
      outputTokens: 5,
    });
  });
});
