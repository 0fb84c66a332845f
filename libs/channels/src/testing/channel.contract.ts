import { describe, expect, it } from '@jest/globals';
import { codeOf, inboundMessage } from '@rockpool/contracts';
import type { ReplyChannel } from '@rockpool/conversations';
import fc from 'fast-check';
import type { EndpointCredentials, WebhookChannel, WebhookRequest } from '../webhook-channel.js';

/** A channel under test, with what only its protocol knows: how a provider signs, and what its messages look like. */
export interface ChannelUnderTest {
  readonly channel: WebhookChannel;
  /** A tenant's own endpoint, with one secret. */
  readonly credentials: EndpointCredentials;
  /** The endpoint of another tenant, with another secret. */
  readonly otherCredentials: EndpointCredentials;
  /** A secret of the right form that no endpoint has. */
  readonly spareSecret: string;
  /** A genuine request with this body. */
  sign(body: string | Uint8Array, secret: string): WebhookRequest;
  /** The headers that carry the proof. */
  readonly proofHeaders: readonly string[];
  /** The one among them that lists proofs, parted by spaces, of which one has to be genuine. */
  readonly proofListHeader?: string;
  /** Whether the proof covers the body. */
  readonly coversBody: boolean;
  /** The body of a message that a person writes to the bot, new at each call. */
  message(text: string): string;
  /** Bodies of what the bot itself wrote; none where a provider never delivers that. */
  readonly ownMessages: readonly string[];
  /** Groups of requests that are deliveries of one event. */
  readonly duplicates: readonly (readonly WebhookRequest[])[];
  readonly replies: ReplyChannel;
  /** The longest a chunk may be, as the provider counts. */
  readonly limit: number;
  /** How the provider counts a chunk. */
  lengthOf(payload: unknown): number;
}

/** What every channel with a webhook does. */
export function channelContract(name: string, open: () => ChannelUnderTest): void {
  describe(`${name} keeps the contract of a channel`, () => {
    const test = open();
    const { channel, credentials } = test;
    const [secret = ''] = credentials.signingSecrets;
    const genuine = () => test.sign(test.message('hello'), secret);
    const accepts = (request: WebhookRequest, with_: EndpointCredentials = credentials) => {
      try {
        channel.verify(request, with_);
        return true;
      } catch (error) {
        // Anything but a refusal would be a crash, and answered as one.
        expect(codeOf(error)).toBe('unauthenticated');
        return false;
      }
    };
    const parse = (request: WebhookRequest, with_: EndpointCredentials = credentials) => channel.parse(request, with_).messages;
    const withSecrets = (...signingSecrets: string[]): EndpointCredentials => ({ ...credentials, signingSecrets });

    describe('proof of origin', () => {
      it('lets a genuine request in, under every enabled version of the secret', () => {
        expect(accepts(genuine())).toBe(true);
        expect(accepts(genuine(), withSecrets(test.spareSecret, secret))).toBe(true);
        expect(accepts(genuine(), withSecrets(secret, test.spareSecret))).toBe(true);
      });

      it('refuses the secret of another tenant and one that is not enabled any more', () => {
        expect(accepts(genuine(), test.otherCredentials)).toBe(false);
        expect(accepts(genuine(), withSecrets(test.spareSecret))).toBe(false);
      });

      it('refuses everything while the endpoint has no secret, or a blank one', () => {
        for (const blank of ['', ' ', '\n']) {
          expect(accepts(genuine(), withSecrets(blank))).toBe(false);
          expect(accepts(test.sign(test.message('hello'), secret || blank), withSecrets(blank, blank))).toBe(false);
        }
        expect(accepts(genuine(), withSecrets())).toBe(false);
        expect(accepts({ ...genuine(), headers: {} }, withSecrets(''))).toBe(false);
      });

      it.each(test.proofHeaders)('refuses a request whose %s is missing, blank or repeated', (header) => {
        const request = genuine();
        const { [header]: values = [], ...rest } = request.headers;
        expect(accepts({ ...request, headers: rest })).toBe(false);
        expect(accepts({ ...request, headers: { ...rest, [header]: [''] } })).toBe(false);
        expect(accepts({ ...request, headers: { ...rest, [header]: [...values, ...values] } })).toBe(false);
        expect(accepts({ ...request, headers: { ...rest, [header]: ['x', ...values] } })).toBe(false);
      });

      it('refuses any other proof', () => {
        const request = genuine();
        const mutation = fc.record({
          header: fc.constantFrom(...test.proofHeaders),
          at: fc.nat(),
          to: fc.string({ maxLength: 3 }),
          cut: fc.nat(4),
        });
        fc.assert(
          fc.property(mutation, ({ header, at, to, cut }) => {
            const [value = ''] = request.headers[header] ?? [];
            const position = at % (value.length + 1);
            const forged = value.slice(0, position) + to + value.slice(position + cut);
            fc.pre(forged !== value && !saysTheSame(forged, value));
            fc.pre(header !== test.proofListHeader || !forged.split(' ').includes(value));
            expect(accepts({ ...request, headers: { ...request.headers, [header]: [forged] } })).toBe(false);
          }),
          { numRuns: 2_000 },
        );
      });

      it('refuses a body of which one bit is another', () => {
        if (!test.coversBody) return;
        const request = genuine();
        fc.assert(
          fc.property(fc.nat(request.body.length - 1), fc.nat(7), (byte, bit) => {
            const body = Uint8Array.from(request.body);
            body[byte]! ^= 1 << bit;
            expect(accepts({ ...request, body })).toBe(false);
          }),
          { numRuns: 500 },
        );
      });
    });

    describe('events', () => {
      it('belong to the tenant of the endpoint, whatever the body says', () => {
        const request = genuine();
        expect(parse(request).map((message) => message.tenantId)).toEqual([credentials.tenantId]);
        expect(parse(request, test.otherCredentials).map((message) => message.tenantId)).toEqual([test.otherCredentials.tenantId]);
        expect(parse(request, { ...credentials, tenantId: undefined })).toMatchObject([{ target: { shared: true } }]);
      });

      it('fit the schema as they are, ids included, and survive being sent', () => {
        for (const message of [genuine(), ...test.duplicates.flat()].flatMap((request) => parse(request))) {
          expect(inboundMessage.parse(JSON.parse(JSON.stringify(message)))).toEqual(message);
        }
      });

      it('keep what a person wrote, and who, where and that it is for the bot', () => {
        expect(parse(test.sign(test.message('How are you, 😀 & <b>?'), secret))).toMatchObject([
          {
            kind: 'message',
            text: 'How are you, 😀 & <b>?',
            addressed: true,
            target: { channel: channel.name, account: credentials.account },
          },
        ]);
      });

      it('keep their id when they are delivered again, and have another than any other event', () => {
        for (const deliveries of test.duplicates) {
          const ids = deliveries.flatMap((request) => parse(request)).map((message) => message.eventId);
          expect(ids).toHaveLength(deliveries.length);
          expect(new Set(ids).size).toBe(1);
        }
        const others = [genuine(), genuine()].flatMap((request) => parse(request)).map((message) => message.eventId);
        expect(new Set(others).size).toBe(2);
      });

      it('never come from the bot itself', () => {
        for (const body of test.ownMessages) expect(parse(test.sign(body, secret))).toEqual([]);
      });

      it('survive hostile bodies: parsed or refused as invalid, and nothing else', () => {
        const plain = test.message('plain');
        const hostile: (string | Uint8Array)[] = [
          '',
          'null',
          '[]',
          '"text"',
          '0',
          '{',
          '{}',
          plain.replace(/^\{/, '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},'),
          plain.replace('plain', '\\ud800 lone \\udfff'),
          plain.replace('plain', 'x'.repeat(500_000)),
          plain.replace('"plain"', `${'['.repeat(10_000)}${']'.repeat(10_000)}`),
          plain.replace('"plain"', '{"plain":1e999}'),
          plain.replace(/\d{5,}/g, '1e400'),
          plain.replace(/^\{/, '{"a":1,"a":2,'),
          Uint8Array.from([...new TextEncoder().encode(plain.replace('plain', '')), 0xff, 0xfe]),
          Uint8Array.of(0xc3, 0x28),
        ];
        for (const body of hostile) {
          try {
            for (const message of parse(test.sign(body, secret))) expect(message.text.isWellFormed()).toBe(true);
          } catch (error) {
            expect(codeOf(error)).toBe('invalid');
          }
        }
        expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
      });

      it('are never parsed with a crash, whatever JSON is verified', () => {
        const genuineBody = JSON.parse(test.message('x')) as Record<string, unknown>;
        fc.assert(
          fc.property(fc.jsonValue(), fc.constantFrom(...Object.keys(genuineBody)), (value, key) => {
            try {
              for (const message of parse(test.sign(JSON.stringify({ ...genuineBody, [key]: value }), secret)))
                inboundMessage.parse(message);
            } catch (error) {
              expect(codeOf(error)).toBe('invalid');
            }
          }),
          { numRuns: 500 },
        );
      });
    });

    describe('answers', () => {
      it('of any length are sent in chunks that fit, without the loss of a word', () => {
        const words = Array.from({ length: 6_000 }, (_, index) => `word${index}${index % 40 === 39 ? '.\n\n' : ' '}`).join('');
        const chunks = test.replies.render(words);
        expect(chunks.every((chunk) => test.lengthOf(chunk.payload) <= test.limit)).toBe(true);
        expect(chunks.flatMap((chunk) => chunk.text.split(/\s+/)).filter(Boolean)).toEqual(words.split(/\s+/).filter(Boolean));
      });

      it('have at least one chunk when there is any text', () => {
        expect(test.replies.render('')).toEqual([]);
        for (const text of ['x', ' ', '\n', '**', '```', '[a]: b']) expect(test.replies.render(text).length).toBeGreaterThan(0);
      });
    });
  });
}

/** Blanks around a signature and repeated separators say nothing. */
function saysTheSame(one: string, other: string): boolean {
  const normal = (value: string) => value.replace(/\s+/g, ' ').trim();
  return normal(one) === normal(other);
}
