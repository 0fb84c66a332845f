import { APICallError } from '@ai-sdk/provider';
import { describe, expect, it } from '@jest/globals';
import { failureOf, type FailureKind } from './provider-failure.js';

const call = (statusCode: number | undefined, body: object | string = {}, responseHeaders: Record<string, string> = {}): APICallError =>
  new APICallError({
    message: 'Bad key sk-12345',
    url: 'http://127.0.0.1/',
    requestBodyValues: {},
    statusCode,
    responseHeaders,
    responseBody: typeof body === 'string' ? body : JSON.stringify(body),
  });

describe('a provider’s failure', () => {
  it.each<[FailureKind, number, object | string]>([
    ['key', 401, { error: { code: 'invalid_api_key' } }],
    ['key', 403, {}],
    ['account', 402, {}],
    ['account', 429, { error: { code: 'insufficient_quota' } }],
    ['account', 400, { error: { message: 'Your credit balance is too low' } }],
    ['model', 404, { error: { type: 'not_found_error' } }],
    ['too_long', 413, '<html>'],
    ['too_long', 400, { error: { message: 'prompt is too long: 210000 tokens > 200000 maximum' } }],
    ['too_long', 400, { error: { code: 'context_length_exceeded' } }],
    ['too_long', 400, { error: { message: 'The input token count (2000000) exceeds the maximum number of tokens allowed' } }],
    ['refused', 400, { error: { message: 'temperature' } }],
    ['refused', 422, {}],
    ['busy', 408, {}],
    ['busy', 429, { error: { type: 'rate_limit_error' } }],
    ['busy', 500, '<html>502 from a proxy'],
    ['busy', 529, { error: { type: 'overloaded_error' } }],
    ['network', 200, 'not what was promised'],
  ])('is %s for %i %j', (kind, status, body) => expect(failureOf(call(status, body))?.kind).toBe(kind));

  it.each<[FailureKind, unknown]>([
    ['network', call(undefined)],
    ['network', Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })],
    ['network', new TypeError('terminated', { cause: Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' }) })],
    ['busy', { type: 'overloaded_error', message: 'Overloaded' }],
    ['busy', { error: { type: 'server_error', message: 'try again' } }],
    ['too_long', { type: 'invalid_request_error', code: 'context_length_exceeded', message: 'x' }],
    ['network', 'something went wrong'],
  ])('is %s for %p', (kind, error) => expect(failureOf(error)?.kind).toBe(kind));

  it('is none for an error of our own', () => {
    expect(failureOf(new Error('a bug'))).toBeUndefined();
    expect(failureOf(new DOMException('aborted', 'AbortError'))).toBeUndefined();
    expect(failureOf(undefined)).toBeUndefined();
  });

  it('says when to come back, in whatever way the provider said it', () => {
    expect(failureOf(call(429, {}, { 'retry-after': '7' }))?.retryAfterMs).toBe(7_000);
    expect(failureOf(call(429, {}, { 'retry-after-ms': '250', 'retry-after': '1' }))?.retryAfterMs).toBe(250);
    expect(failureOf(call(429, {}, { 'retry-after': new Date(Date.now() - 5_000).toUTCString() }))?.retryAfterMs).toBe(0);
    expect(failureOf(call(429, {}, { 'retry-after': 'soon' }))?.retryAfterMs).toBeUndefined();
  });

  it('never repeats what the provider wrote, which may quote the key or the prompt', () => {
    expect(failureOf(call(401, { error: { code: 'Bad key sk-12345' } }))?.reason).toBe('401');
    expect(failureOf(call(401, { error: { code: 'invalid_api_key', message: 'sk-12345' } }))?.reason).toBe('401 invalid_api_key');
  });
});
