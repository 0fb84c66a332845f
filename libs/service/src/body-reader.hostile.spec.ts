import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { codeOf } from '@rockpool/contracts';
import { BodyReader } from './body-reader.js';

const limitBytes = 1024 * 1024;
const kib = (count: number) => Buffer.alloc(count * 1024, 'x');
const refusal = (body: Promise<Buffer>) => body.then(() => 'taken', codeOf);

describe('the body of a stranger', () => {
  it('is the bytes as they came, in however many pieces', async () => {
    const reader = new BodyReader();
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 251));
    for (const pieceBytes of [70, 4_096, 16_384, 70_000]) {
      const source = new PassThrough();
      const body = reader.read(source, { limitBytes, declaredBytes: bytes.length });
      for (let at = 0; at < bytes.length; at += pieceBytes) source.write(bytes.subarray(at, at + pieceBytes));
      source.end();
      expect((await body).equals(bytes)).toBe(true);
    }
    const empty = new PassThrough();
    const body = reader.read(empty, { limitBytes });
    empty.end();
    expect(await body).toHaveLength(0);
  });

  it('is never mixed with that of another, though its memory was used before', async () => {
    const reader = new BodyReader();
    const bodyOf = async (byte: number, length: number) => {
      const source = new PassThrough();
      const body = reader.read(source, { limitBytes });
      for (let rest = length; rest > 0; rest -= 5_000) source.write(Buffer.alloc(Math.min(rest, 5_000), byte));
      source.end();
      return { body: await body, expected: Buffer.alloc(length, byte) };
    };
    const lengths = [1, 16_383, 16_384, 16_385, 100_000, 3, 40_000, 0, 1_000_000, 32_768];
    for (const [byte, length] of lengths.entries()) {
      const rounds = await Promise.all([bodyOf(byte, length), bodyOf(byte + 100, length + 7)]);
      expect(rounds.every(({ body, expected }) => body.equals(expected))).toBe(true);
    }
  });

  it('that comes byte by byte is refused before it costs much, unless it is short', async () => {
    const reader = new BodyReader();
    const byteByByte = async (length: number) => {
      const source = new PassThrough();
      const body = refusal(reader.read(source, { limitBytes }));
      for (let sent = 0; sent < length; sent++) source.write('x');
      source.end();
      return body;
    };
    expect(await byteByByte(1_000)).toBe('taken');
    expect(await byteByByte(1_001)).toBe('invalid');
  });

  it('that says it is over the limit is refused before any of it is read', async () => {
    const source = new PassThrough();
    expect(await refusal(new BodyReader().read(source, { limitBytes, declaredBytes: limitBytes + 1 }))).toBe('too_large');
    expect(source.listenerCount('data')).toBe(0);
  });

  it('that lies about its length is cut at the limit', async () => {
    const reader = new BodyReader();
    for (const declaredBytes of [undefined, 0, 10, limitBytes]) {
      const exact = new PassThrough();
      const whole = reader.read(exact, { limitBytes, declaredBytes });
      exact.end(Buffer.alloc(limitBytes));
      expect(await whole).toHaveLength(limitBytes);
      const longer = new PassThrough();
      const body = reader.read(longer, { limitBytes, declaredBytes });
      longer.write(Buffer.alloc(limitBytes));
      longer.write(Buffer.alloc(1));
      expect(await refusal(body)).toBe('too_large');
    }
  });

  it('that was only promised takes no memory', () => {
    const reader = new BodyReader();
    for (let count = 0; count < 500; count++) void reader.read(new PassThrough(), { limitBytes, declaredBytes: limitBytes });
    expect(reader.heldBytes).toBe(0);
  });

  it('shares a budget with all other large ones; small ones are read as ever', async () => {
    const reader = new BodyReader(1024 * 1024);
    const unfinished = Array.from({ length: 200 }, () => new PassThrough());
    const bodies = unfinished.map((source) => refusal(reader.read(source, { limitBytes })));
    for (const source of unfinished) source.write(kib(500));
    await new Promise(setImmediate);
    expect(reader.heldBytes).toBeLessThanOrEqual(1024 * 1024);

    const small = new PassThrough();
    const ordinary = reader.read(small, { limitBytes });
    small.end(kib(32));
    expect(await ordinary).toHaveLength(32 * 1024);
    const known = new PassThrough();
    const large = reader.read(known, { limitBytes, known: true });
    known.end(kib(900));
    expect(await large).toHaveLength(900 * 1024);

    for (const source of unfinished) source.end();
    const outcomes = await Promise.all(bodies);
    const taken = outcomes.filter((outcome) => outcome === 'taken').length;
    expect(outcomes.filter((outcome) => outcome === 'unavailable')).toHaveLength(200 - taken);
    expect(taken).toBe(2);
    expect(reader.heldBytes).toBe(0);
  });

  it('that breaks off, before or after it was refused, leaves nothing behind', async () => {
    const reader = new BodyReader();
    const broken = new PassThrough();
    const body = reader.read(broken, { limitBytes });
    broken.write(kib(100));
    broken.destroy();
    expect(await refusal(body)).toBe('invalid');
    const refused = new PassThrough();
    expect(
      await refusal(
        reader.read(
          refused.on('error', () => undefined),
          { limitBytes, declaredBytes: limitBytes * 2 },
        ),
      ),
    ).toBe('too_large');
    refused.destroy(new Error('reset'));
    await new Promise(setImmediate);
    expect(reader.heldBytes).toBe(0);
  });
});
