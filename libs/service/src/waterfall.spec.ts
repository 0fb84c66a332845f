import type { StoredSpan } from '@rockpool/cloud';
import { describe, expect, it } from '@jest/globals';
import { renderWaterfall } from './waterfall.js';

const start = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';

function span(
  spanId: string,
  parentSpanId: string | undefined,
  name: string,
  at: number,
  durationMs: number,
  more: Partial<StoredSpan> = {},
): StoredSpan {
  return {
    traceId,
    spanId,
    ...(parentSpanId !== undefined && { parentSpanId }),
    name,
    kind: 'internal',
    service: 'rockpool',
    startMs: start + at,
    durationMs,
    status: { code: 'unset' },
    attributes: {},
    links: [],
    events: [],
    ...more,
  };
}

const message = [
  span('1', undefined, 'POST /webhooks/telegram/:tenant', 0, 4.26, { attributes: { 'http.response.status_code': 200 } }),
  span('2', '1', 'send inbound-messages', 1, 2.5),
  span('4', '3', 'turn', 10, 1_250, { attributes: { 'rockpool.turn.outcome': 'answered' } }),
  span('3', '2', 'process inbound-messages.dispatcher', 6, 1_400, { attributes: { 'rockpool.queue_wait_ms': 2.5, 'rockpool.attempt': 2 } }),
  span('5', '4', 'chat', 20, 1_100, {
    attributes: {
      'gen_ai.request.model': 'small',
      'gen_ai.response.model': 'small-2026',
      'gen_ai.usage.input_tokens': 812,
      'gen_ai.usage.output_tokens': 96,
      'rockpool.cost.usd': 0.00123,
    },
  }),
  span('6', '4', 'edit telegram', 1_200, 60, { status: { code: 'error', message: 'rate_limited' } }),
];

describe('the waterfall', () => {
  it('draws a message from the webhook to the last send', () => {
    expect(renderWaterfall(message, { width: 120, color: false })).toBe(
      `trace ${traceId}  2026-01-02T03:04:05.678Z  6 spans
  POST /webhooks/telegram/:tenant           4.3 ms ━                        200
    send inbound-messages                   2.5 ms ━
      process inbound-messages.dispatcher   1.40 s ━━━━━━━━━━━━━━━━━━━━━━━━ waited 2.5 ms · attempt 2
        turn                                1.25 s ━━━━━━━━━━━━━━━━━━━━━    answered
          chat                              1.10 s ━━━━━━━━━━━━━━━━━━━      small-2026 · 812→96 tokens · $0.0012
          edit telegram                      60 ms                     ━    ✗ rate_limited
`,
    );
  });

  it('stays within the width of the terminal', () => {
    for (const width of [60, 80, 132]) {
      for (const line of renderWaterfall(message, { width, color: false }).split('\n').slice(1))
        expect(line.length).toBeLessThanOrEqual(width);
    }
  });

  it('shows linked traces one after another, and where they are linked', () => {
    const linked = { ...span('7', undefined, 'turn', 2_000, 500), traceId: 'b'.repeat(32), links: [{ traceId, spanId: '4' }] };
    const lines = renderWaterfall([...message, linked], { width: 120, color: false }).split('\n');
    expect(lines[7]).toBe(`trace ${'b'.repeat(32)}  2026-01-02T03:04:07.678Z  1 span`);
    expect(lines[8]).toMatch(/^ {2}turn +500 ms +━+ +linked to 4bf92f35$/);
  });

  it('puts spans whose parent is missing at the margin, and survives spans that name each other', () => {
    const lines = renderWaterfall([span('8', 'gone', 'orphan', 0, 1), span('9', '9', 'own parent', 1, 1)], {
      width: 80,
      color: false,
    }).split('\n');
    expect(lines[1]).toMatch(/^ {2}orphan /);
  });

  it('is coloured where that is wanted', () => {
    expect(renderWaterfall(message, { width: 100, color: true })).toContain('\u001b[31m');
    expect(renderWaterfall(message, { width: 100, color: false })).not.toContain('\u001b');
  });

  it('says so when there is nothing', () => {
    expect(renderWaterfall([], { width: 100, color: false })).toBe('no spans\n');
  });
});
