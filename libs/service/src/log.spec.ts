import { trace, TraceFlags, context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { RetryLater } from '@rockpool/contracts';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createLogger, NestLog, type LogOptions } from './log.js';

function logInto(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const logger = createLogger({
    service: 'ingress',
    level: 'debug',
    format: 'json',
    destination: { write: (line) => lines.push(line) },
    ...options,
  });
  return { logger, lines, record: () => JSON.parse(lines.at(-1)!) as Record<string, unknown> };
}

const telegramToken = `123456789:${'A'.repeat(35)}`;
const span = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', traceFlags: TraceFlags.SAMPLED };

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});

describe('a log line', () => {
  it('has the fields Google Cloud Logging reads', () => {
    const { logger, record } = logInto();
    logger.warn({ tenantId: 'alice' }, 'budget is nearly used up');
    expect(record()).toEqual({
      severity: 'WARNING',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      service: 'ingress',
      tenantId: 'alice',
      message: 'budget is nearly used up',
    });
  });

  it('carries the active trace, and under a Google Cloud project links it', () => {
    const inSpan = (work: () => void) => context.with(trace.setSpanContext(context.active(), span), work);
    const local = logInto();
    inSpan(() => local.logger.info('hello'));
    expect(local.record()).toMatchObject({ traceId: span.traceId, spanId: span.spanId });
    const google = logInto({ googleCloudProject: 'acme' });
    inSpan(() => google.logger.info('hello'));
    expect(google.record()).toMatchObject({
      'logging.googleapis.com/trace': `projects/acme/traces/${span.traceId}`,
      'logging.googleapis.com/spanId': span.spanId,
      'logging.googleapis.com/trace_sampled': true,
    });
  });

  it('keeps the code and the causes of an error', () => {
    const { logger, record } = logInto();
    logger.error({ error: new RetryLater(500, 'the host is full', { cause: new Error('ECONNREFUSED') }) }, 'push failed');
    expect(record()['error']).toMatchObject({
      code: 'unavailable',
      message: 'the host is full',
      cause: { code: 'internal', message: 'ECONNREFUSED' },
    });
  });

  it('is written to no one below the level', () => {
    const { logger, lines } = logInto({ level: 'error' });
    logger.info('hello');
    expect(lines).toEqual([]);
  });
});

describe('secrets in a log line', () => {
  it.each([
    ['a Telegram token', telegramToken],
    ['a Telegram API URL', `https://api.telegram.org/bot${telegramToken}/sendMessage`],
    ['a Slack token', ['xoxb', '1234567890', 'abcdefghij'].join('-')],
    ['a model key', 'sk-ant-abcdefghijklmnop'],
    ['a bearer token', 'Authorization: Bearer abc.def-ghi_jkl'],
    ['a webhook secret', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
    ['a password in a URL', 'https://ada:hunter2hunter2@example.com/'],
  ])('%s is removed from messages, fields, errors and stacks', (_, text) => {
    const { logger, lines } = logInto();
    const secret = text.match(/\d{9}:A+|xox\S+|sk-\S+|abc\.def\S+|whsec_\S+|hunter2hunter2/)![0];
    logger.error({ error: new Error(`refused: ${text}`), detail: { text } }, `could not send: ${text}`);
    expect(lines.join('')).not.toContain(secret);
    expect(lines.join('')).toContain('[redacted]');
  });

  it('are removed by the name of their field at any depth, while references and counts stay', () => {
    const { logger, record } = logInto();
    logger.info({
      tenant: { channels: [{ botToken: 'short', signingSecret: 'secret://alice/slack' }], password: 'p' },
      headers: { authorization: 'x', 'x-api-key': 'y' },
      outputTokens: 12,
    });
    expect(record()).toMatchObject({
      tenant: { channels: [{ botToken: '[redacted]', signingSecret: 'secret://alice/slack' }], password: '[redacted]' },
      headers: { authorization: '[redacted]', 'x-api-key': '[redacted]' },
      outputTokens: 12,
    });
  });
});

describe('a pretty log line', () => {
  it('is short, with fields behind the message and the stack of an error below', () => {
    const { logger, lines } = logInto({ format: 'pretty' });
    const error = Object.assign(new Error('no route'), { stack: 'Error: no route\n    at x' });
    logger.error({ tenantId: 'alice', error }, 'dropped');
    // eslint-disable-next-line no-control-regex -- colours are there or not, by the terminal the test runs in
    expect(lines[0]!.replace(/\u001b\[\d+m/g, '')).toMatch(
      /^\d\d:\d\d:\d\d error dropped tenantId=alice\n {4}Error: no route\n {8}at x\n$/,
    );
  });
});

describe('the lines of Nest', () => {
  it('keep their context, and its start-up chatter is for debugging', () => {
    const { logger, record } = logInto();
    new NestLog(logger).log('Mapped {/healthz, GET} route', 'RouterExplorer');
    expect(record()).toMatchObject({ severity: 'DEBUG', context: 'RouterExplorer' });
    new NestLog(logger).error(new Error('boom'), 'ExceptionsHandler');
    expect(record()).toMatchObject({ severity: 'ERROR', context: 'ExceptionsHandler', message: 'boom', error: { message: 'boom' } });
  });
});
