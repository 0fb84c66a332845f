import { codeOf } from '@rockpool/contracts';
import fc from 'fast-check';
import type { WebhookRequest } from '../webhook-channel.js';
import { hmac, nowSeconds, publicKeyBytes, receivedAt, schemes, type Scheme } from './genuine.js';

/** What a forger has at hand: a genuine request of the endpoint, and chance. */
interface Chance {
  readonly at: number;
  readonly bit: number;
  readonly pick: number;
  readonly text: string;
}
type Forge = (scheme: Scheme, genuine: WebhookRequest, chance: Chance) => WebhookRequest | undefined;

const choose = <Item>(items: readonly Item[], by: number): Item => items[by % items.length]!;
const headersOf = ({ proof, covered }: Scheme) => [proof, ...covered];
const valueOf = (request: WebhookRequest, header: string): string => request.headers[header]?.[0] ?? '';
const withHeader = (request: WebhookRequest, header: string, ...values: string[]): WebhookRequest => ({
  ...request,
  headers: { ...request.headers, [header]: values },
});
/** Changes the value of one of the headers that prove something. */
const ofAHeader =
  (change: (value: string, chance: Chance) => string): Forge =>
  (scheme, genuine, chance) => {
    const header = choose(headersOf(scheme), chance.pick);
    return withHeader(genuine, header, change(valueOf(genuine, header), chance));
  };
/** Changes the body, where the proof covers it. */
const ofTheBody =
  (change: (body: Uint8Array, chance: Chance) => Uint8Array): Forge =>
  (scheme, genuine, chance) =>
    scheme.signs ? { ...genuine, body: change(genuine.body, chance) } : undefined;

const blanks = [' ', '\t', '\n', '\r\n', '\0', '\v', '\u00a0', '\u200b', '\ufeff', '\u3000'];
/** Spellings of the right time that other parsers of numbers take. */
const spellings: readonly ((seconds: number) => string)[] = [
  (seconds) => `+${seconds}`,
  (seconds) => `0${seconds}`,
  (seconds) => `${seconds}.0`,
  (seconds) => `${seconds}e0`,
  (seconds) => `0x${seconds.toString(16)}`,
  (seconds) => ` ${seconds}`,
  (seconds) => `${seconds}\n`,
  (seconds) => `${seconds}n`,
  (seconds) => `${seconds}000`,
  (seconds) => String(seconds).replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
  (seconds) => new Date(seconds * 1000).toISOString(),
  (seconds) => `${seconds},${seconds}`,
  () => 'NaN',
  () => 'Infinity',
  () => '-1',
  () => '0',
  () => '9'.repeat(400),
];

/** Ways to forge, by name. Each gives a request that differs from the genuine one in what it proves, or nothing where the scheme has no such part. */
const ways: Readonly<Record<string, Forge>> = {
  'one bit of the body': ofTheBody((body, { at, bit }) => {
    const changed = Uint8Array.from(body);
    if (changed.length > 0) changed[at % changed.length]! ^= 1 << (bit % 8);
    return changed;
  }),
  'a body cut short': ofTheBody((body, { at }) => body.subarray(0, at % Math.max(1, body.length))),
  'a body with more behind it': ofTheBody((body, { text, pick }) => Buffer.concat([body, Buffer.from(text || choose(blanks, pick))])),
  'a body with more before it': ofTheBody((body, { text, pick }) => Buffer.concat([Buffer.from(text || choose(blanks, pick)), body])),
  'a body in another encoding': ofTheBody((body, { pick }) =>
    choose([Buffer.from(Buffer.from(body).toString('latin1')), Buffer.from(Buffer.from(body).toString(), 'utf16le')], pick),
  ),
  'one bit of a header': ofAHeader((value, { at, bit }) => {
    const bytes = Buffer.from(value, 'latin1');
    if (bytes.length > 0) bytes[at % bytes.length]! ^= 1 << (bit % 8);
    return bytes.toString('latin1');
  }),
  'a header cut short': ofAHeader((value, { at, bit }) =>
    bit % 2 ? value.slice(0, at % value.length) : value.slice(1 + (at % value.length)),
  ),
  'a header with more in it': ofAHeader((value, { at, text, pick }) => {
    const position = at % (value.length + 1);
    return value.slice(0, position) + (text || choose(blanks, pick)) + value.slice(position);
  }),
  'a header in another case': ofAHeader((value, { bit, at }) => {
    const position = at % value.length;
    const turned = value[position] === value[position]!.toLowerCase() ? value[position]!.toUpperCase() : value[position]!.toLowerCase();
    return choose([value.toUpperCase(), value.toLowerCase(), value.slice(0, position) + turned + value.slice(position + 1)], bit);
  }),
  'a header with blanks around it': (scheme, genuine, { pick, bit, at }) => {
    const header = choose(headersOf(scheme), at);
    const blank = choose(blanks, pick);
    const value = valueOf(genuine, header);
    return withHeader(genuine, header, choose([blank + value, value + blank, blank + value + blank], bit));
  },
  'a header twice': (scheme, genuine, { pick, bit, text }) => {
    const header = choose(headersOf(scheme), pick);
    const value = valueOf(genuine, header);
    const repeated = [[value, value], [text, value], [value, text], [value, ''], [`${value}, ${value}`], [`${value},${text}`]];
    return withHeader(genuine, header, ...choose(repeated, bit));
  },
  'a header missing or empty': (scheme, genuine, { pick, bit }) => {
    const header = choose(headersOf(scheme), pick);
    return withHeader(genuine, header, ...choose([[], [''], [' '], ['\t']], bit));
  },
  'the proof under another name': (scheme, genuine, { pick }) => {
    const names = [
      'authorization',
      'x-signature',
      'x-hub-signature',
      'x-hub-signature-256',
      'signature',
      `${scheme.proof}-256`,
      `x-${scheme.proof}`,
    ];
    return withHeader(withHeader(genuine, scheme.proof), choose([...names, '__proto__'], pick), valueOf(genuine, scheme.proof));
  },
  'the proof in another encoding': (scheme, genuine, { pick }) => {
    const value = valueOf(genuine, scheme.proof);
    const [, prefix = '', encoded = ''] = /^(v0=|v1a?,)?(.*)$/s.exec(value) ?? [];
    const bytes = Buffer.from(encoded, prefix === 'v0=' ? 'hex' : prefix === '' ? 'utf8' : 'base64');
    const encodings = [
      bytes.toString('hex'),
      bytes.toString('hex').toUpperCase(),
      bytes.toString('base64'),
      bytes.toString('base64url'),
      bytes.toString('latin1'),
      encodeURIComponent(encoded).replace(/./, (character) => `%${character.charCodeAt(0).toString(16)}`),
      encoded.replace(/=+$/, ''),
      `${encoded}=`,
      // The last character of base64 has bits that say nothing.
      encoded.replace(/[A-Za-z0-9+/](?==*$)/, (last) => String.fromCharCode(last.charCodeAt(0) + 1)),
      JSON.stringify(encoded),
    ];
    return withHeader(genuine, scheme.proof, prefix + choose(encodings, pick));
  },
  'another algorithm': (scheme, genuine, { pick, bit }) => {
    if (!scheme.signs) return undefined;
    const value = valueOf(genuine, scheme.proof).replace(/^(?:v0=|v1a?,)/, '');
    const prefixes = [
      'v0=',
      'v1=',
      'v0,',
      'v1,',
      'v1a,',
      'v2,',
      'V0=',
      'sha1=',
      'sha256=',
      'none=',
      'none,',
      'v0==',
      '',
      'v1,v1,',
      ',',
      '=',
    ];
    const prefix = choose(prefixes, pick);
    if (bit % 2 === 0) return withHeader(genuine, scheme.proof, prefix + value);
    const [secret = ''] = scheme.credentials.signingSecrets;
    const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : secret;
    const parts = scheme.covered.map((header) => valueOf(genuine, header));
    const content = scheme.name === 'slack' ? `v0:${parts[0]}:` : `${parts.join('.')}.`;
    const digest = hmac(choose(['sha1', 'md5', 'sha512', 'sha384', 'sha3-256'], pick >> 4), key, content, genuine.body);
    return withHeader(genuine, scheme.proof, prefix + digest.toString(scheme.name === 'slack' ? 'hex' : 'base64'));
  },
  'a public key taken for a secret': (scheme, genuine) => {
    if (scheme.name !== 'standard webhooks, Ed25519') return undefined;
    const content = `${valueOf(genuine, 'webhook-id')}.${valueOf(genuine, 'webhook-timestamp')}.`;
    return withHeader(genuine, scheme.proof, `v1,${hmac('sha256', publicKeyBytes, content, genuine.body).toString('base64')}`);
  },
  'the secret of somebody else': (scheme, { body }, { pick, at }) =>
    scheme.request({ body, timestamp: String(nowSeconds), id: `msg_${at}` }, choose(scheme.foreignSecrets, pick)),
  'the proof of another request': (scheme, genuine, { text, at }) => {
    if (!scheme.signs) return undefined;
    const other = scheme.request({ body: Buffer.from(`other ${text}`), timestamp: String(nowSeconds - (at % 300)), id: 'msg_other' });
    return withHeader(genuine, scheme.proof, valueOf(other, scheme.proof));
  },
  'a genuine request of another provider': (scheme, { body }, { pick, at }) => {
    const others = schemes.filter((other) => other !== scheme);
    const other = choose(others, pick).request({ body, timestamp: String(nowSeconds), id: `msg_${at}` });
    return at % 2 ? other : withHeader(other, scheme.proof, valueOf(other, choose(others, pick).proof));
  },
  'a time outside the window': (scheme, { body }, { at, bit }) => {
    const away = 301 + (bit % 3 === 0 ? at % 5 : at);
    const timestamp = String(bit % 2 ? nowSeconds - (away % nowSeconds) : nowSeconds + away);
    const outside = Math.abs(Number(timestamp) - nowSeconds) > 300;
    return scheme.signs && outside ? scheme.request({ body, timestamp, id: 'msg_late' }) : undefined;
  },
  'a time in another spelling': (scheme, { body }, { pick }) =>
    scheme.signs ? scheme.request({ body, timestamp: choose(spellings, pick)(nowSeconds), id: 'msg_odd' }) : undefined,
  'anything at all': (scheme, genuine, { text, pick }) =>
    headersOf(scheme).reduce(
      (request, header, index) => withHeader(request, header, choose([text, `v0=${text}`, `v1,${text}`], pick + index)),
      genuine,
    ),
};

const chance: fc.Arbitrary<Chance> = fc.record({
  at: fc.nat(),
  bit: fc.nat(1_000),
  pick: fc.nat(1_000),
  text: fc.string({ maxLength: 6, unit: 'binary' }),
});
const attempt = fc.record({
  scheme: fc.constantFrom(...schemes),
  way: fc.constantFrom(...Object.keys(ways)),
  words: fc.string({ maxLength: 40, unit: 'binary' }),
  chance,
});

/** How many forgeries of each kind were tried, and under which seed. */
export interface ForgeryCount {
  readonly seed: number;
  readonly tried: number;
  readonly byWay: Readonly<Record<string, number>>;
}

/**
 * Tries at least `count` forgeries, and the genuine request beside each, so that a verifier that refuses everything does not pass. Throws for the first that is
 * accepted, for a genuine one that is refused, and for any failure but `Unauthenticated`; the message has what it takes to do it again.
 */
export function tryForgeries(options: { count: number; seed: number; onProgress?: (tried: number) => void }): ForgeryCount {
  const byWay: Record<string, number> = {};
  let tried = 0;
  for (let slice = 0; tried < options.count; slice++) {
    const property = fc.property(attempt, ({ scheme, way, words, chance }) => {
      const body = Buffer.from(JSON.stringify({ type: 'message', text: words }));
      const genuine = scheme.request({ body, timestamp: String(nowSeconds), id: `msg_${chance.at}` });
      if (!accepts(scheme, genuine)) throw new Error('the genuine request was refused');
      const forged = ways[way]!(scheme, genuine, chance);
      if (forged === undefined || provesTheSame(scheme, forged, genuine)) return;
      tried++;
      byWay[`${scheme.name}: ${way}`] = (byWay[`${scheme.name}: ${way}`] ?? 0) + 1;
      if (accepts(scheme, forged)) throw new Error(`accepted: ${JSON.stringify(forged.headers)}`);
    });
    fc.assert(property, { numRuns: Math.min(50_000, Math.ceil((options.count - tried) * 1.2) + 100), seed: options.seed + slice });
    options.onProgress?.(tried);
  }
  return { seed: options.seed, tried, byWay };
}

function accepts(scheme: Scheme, request: WebhookRequest): boolean {
  try {
    scheme.channel.verify({ ...request, receivedAt }, scheme.credentials);
    return true;
  } catch (error) {
    if (codeOf(error) !== 'unauthenticated') throw error;
    return false;
  }
}

/**
 * True where the change changed nothing that is proven: nothing at all, or only the blanks between the signatures of a list that still holds the genuine one.
 */
function provesTheSame(scheme: Scheme, forged: WebhookRequest, genuine: WebhookRequest): boolean {
  const equal = (header: string) => JSON.stringify(forged.headers[header]) === JSON.stringify(genuine.headers[header]);
  if (scheme.signs && Buffer.compare(forged.body, genuine.body) !== 0) return false;
  if (!scheme.covered.every(equal)) return false;
  if (equal(scheme.proof)) return true;
  const values = forged.headers[scheme.proof] ?? [];
  return scheme.proof === 'webhook-signature' && values.length === 1 && values[0]!.split(' ').includes(valueOf(genuine, scheme.proof));
}
