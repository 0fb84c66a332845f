import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { codeOf, isTerminal } from '@rockpool/contracts';
import { GuardedFetch, publicWeb, type FetchPolicy, type ResolvedAddress } from './guarded-fetch.js';
import { isPublicAddress } from './public-address.js';

const never = new AbortController().signal;
const loopback: ResolvedAddress = { address: '127.0.0.1', family: 4 };

/** Listens where nothing may ever arrive. */
let sentinel: Server;
let sentinelConnections = 0;
/** Stands for a public site: the policy of these tests lets this one address and port pass besides public ones. */
let site: Server;
let sitePort = 0;
let sentinelPort = 0;
let answer: RequestListener = (_request, response) => void response.end('hello');
const seen: IncomingMessage[] = [];

beforeAll(async () => {
  sentinel = createServer((_request, response) => void response.end('secret')).on('connection', () => sentinelConnections++);
  site = createServer((request, response) => {
    seen.push(request);
    answer(request, response);
  });
  await Promise.all([sentinel, site].map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))));
  sitePort = (site.address() as AddressInfo).port;
  sentinelPort = (sentinel.address() as AddressInfo).port;
});
afterAll(async () => {
  for (const server of [sentinel, site]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
beforeEach(() => {
  seen.length = 0;
  sentinelConnections = 0;
  answer = (_request, response) => void response.end('hello');
});

function webWith(policy: Partial<FetchPolicy> = {}): GuardedFetch {
  return new GuardedFetch({
    ...publicWeb,
    resolve: async () => [loopback],
    mayConnect: (address, port) => (address === '127.0.0.1' && port === sitePort) || isPublicAddress(address),
    ports: [80, 443, sitePort, sentinelPort],
    ...policy,
  });
}

const page = (path = '/') => `http://site.example:${sitePort}${path}`;

const refusedAddresses = [
  ...['0.0.0.0', '0.1.2.3', '10.0.0.1', '100.64.0.1', '127.0.0.1', '127.255.255.254', '169.254.169.254', '172.16.0.1', '172.31.255.255'],
  ...['192.0.0.1', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '239.255.255.255'],
  ...['240.0.0.1', '255.255.255.255', '::', '::1', 'fe80::1', 'fec0::1', 'fc00::1', 'fd00:ec2::254', 'ff02::1', '100::1', '2001:db8::1'],
  ...['::ffff:127.0.0.1', '::ffff:8.8.8.8', '::ffff:7f00:1', '::127.0.0.1', '::7f00:1', '::ffff:0:127.0.0.1', '64:ff9b::7f00:1'],
  ...[
    '64:ff9b::169.254.169.254',
    '64:ff9b:1::a00:1',
    '2002:7f00:1::',
    '2002:a9fe:a9fe::1',
    '2001:0:4136:e378:8000:63bf:80ff:fffe',
    '2001::1',
  ],
  ...[
    '2606:4700::5efe:10.0.0.1',
    '2606:4700:0:0:200:5efe:7f00:1',
    '2001:10::1',
    '2001:20::1',
    '2001:2::1',
    '3fff::1',
    '5f00::1',
    '4000::1',
  ],
];

describe('an address', () => {
  it.each(refusedAddresses)('%s is refused', (address) => expect(isPublicAddress(address)).toBe(false));
  it.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2001:4860:4860::8888'])('%s is public', (address) =>
    expect(isPublicAddress(address)).toBe(true),
  );
  it.each(['', 'localhost', '127.1', '0x7f000001', '2130706433', '0177.0.0.1', '8.8.8.8%eth0', 'fe80::1%1', '08.8.8.8'])(
    '%j is not one',
    (address) => expect(isPublicAddress(address)).toBe(false),
  );
});

describe('a fetch is refused, and nobody connected to,', () => {
  it.each(refusedAddresses)('when the host is %s', async (address) => {
    const host = address.includes(':') ? `[${address}]` : address;
    const error = await new GuardedFetch().get(`http://${host}/`, never).catch((reason: unknown) => reason);
    expect([isTerminal(error), codeOf(error)]).toEqual([true, 'invalid']);
  });

  it.each([
    ...[
      'http://0x7f.1/',
      'http://0x7f000001/',
      'http://2130706433/',
      'http://0177.0.0.1/',
      'http://127.1/',
      'http://127.0.1/',
      'http://017700000001/',
    ],
    ...[
      'http://①②⑦.⓪.⓪.①/',
      'http://127。0。0。1/',
      'http://%31%32%37.0.0.1/',
      'http://134744072/',
      'http://0x8.8.8.8/',
      'http://010.8.8.8/',
    ],
    ...['http://localhost/', 'http://LOCALHOST./', 'http://a.localhost/', 'http://printer.local/', 'http://metadata.google.internal/'],
    ...[
      'http://metadata.google.internal./',
      'http://metadata/',
      'http://intranet/',
      'http://db.corp/',
      'http://api.svc/',
      'http://x.home.arpa/',
    ],
    ...[
      'http://user@site.example/',
      'http://user:pw@site.example/',
      'http://site.example@127.0.0.1/',
      'ftp://site.example/',
      'file:///etc/passwd',
    ],
    ...['javascript:alert(1)', 'data:text/plain,hi', 'gopher://site.example/', 'http://site.example:22/', 'https://site.example:8443/'],
    ...[
      'http://',
      'site.example',
      '',
      'http:///',
      '//site.example/',
      `http://site.example/${'x'.repeat(2_048)}`,
      'http://[::1',
      'http://[fe80::1%25eth0]/',
    ],
  ])('when the address is %j', async (address) => {
    const web = new GuardedFetch({ ...publicWeb, resolve: () => Promise.reject(new Error('nothing may be resolved')) });
    const error = await web.get(address, never).catch((reason: unknown) => reason);
    expect([isTerminal(error), codeOf(error)]).toEqual([true, 'invalid']);
  });

  it('when a name resolves to a private address, or to one among public ones', async () => {
    for (const addresses of [['127.0.0.1'], ['8.8.8.8', '10.0.0.1'], ['::ffff:7f00:1'], []]) {
      const resolve = async () => addresses.map((address) => ({ address, family: address.includes(':') ? (6 as const) : (4 as const) }));
      await expect(webWith({ resolve }).get(`http://site.example:${sentinelPort}/`, never)).rejects.toThrow('not on the public internet');
    }
    expect(sentinelConnections).toBe(0);
  });

  it('when a redirect leads to a private address, by whatever chain', async () => {
    const targets = [
      `http://127.0.0.1:${sentinelPort}/`,
      `http://2130706433:${sentinelPort}/`,
      `//127.0.0.1:${sentinelPort}/`,
      `\\\\127.0.0.1:${sentinelPort}\\`,
      `http://[::ffff:127.0.0.1]:${sentinelPort}/`,
      `http://localhost:${sentinelPort}/`,
      `http://user:pw@127.0.0.1:${sentinelPort}/`,
      'http://169.254.169.254/computeMetadata/v1/',
      'file:///etc/passwd',
    ];
    for (const target of targets)
      for (const status of [301, 302, 303, 307, 308]) {
        answer = ({ url }, response) => void response.writeHead(status, { location: url === '/' ? '/second' : target }).end();
        await expect(webWith().get(page(), never)).rejects.toMatchObject({ code: 'invalid' });
      }
    expect(sentinelConnections).toBe(0);
  });
});

describe('a name that resolves anew for every question', () => {
  it('is asked once, and the connection goes to what was checked', async () => {
    let questions = 0;
    const resolve = async (): Promise<ResolvedAddress[]> => (questions++ ? [{ address: '10.0.0.1', family: 4 }] : [loopback]);
    expect((await webWith({ resolve }).get(page(), never)).text).toBe('hello');
    expect(questions).toBe(1);
  });

  it('is checked again after a redirect to itself', async () => {
    let questions = 0;
    answer = (_request, response) => void response.writeHead(302, { location: '/again' }).end();
    const resolve = async (): Promise<ResolvedAddress[]> => (questions++ ? [{ address: '10.0.0.1', family: 4 }] : [loopback]);
    await expect(webWith({ resolve }).get(page(), never)).rejects.toThrow('not on the public internet');
    expect(seen).toHaveLength(1);
  });
});

describe('a page', () => {
  it('is read as text, with the address it was found at', async () => {
    answer = ({ url }, response) =>
      url === '/'
        ? void response.writeHead(302, { location: '/final' }).end()
        : void response
            .writeHead(200, { 'content-type': 'text/html; charset=latin1' })
            .end(Buffer.from('<title>T</title><p>caf\xe9', 'latin1'));
    expect(await webWith().get(page(), never)).toEqual({
      url: page('/final'),
      status: 200,
      contentType: 'text/html',
      text: 'T\n\nT\ncafé',
      truncated: false,
    });
  });

  it('with an error status is a page all the same', async () => {
    answer = (_request, response) => void response.writeHead(404, { 'content-type': 'text/plain' }).end('gone');
    expect(await webWith().get(page(), never)).toMatchObject({ status: 404, text: 'gone' });
  });

  it('is asked for without cookies, credentials, referrer or body, on every hop', async () => {
    answer = ({ url }, response) =>
      url === '/'
        ? void response.writeHead(307, { location: `http://other.example:${sitePort}/there`, 'set-cookie': 'session=1' }).end()
        : void response.end('ok');
    await webWith().get(page(), never);
    expect(seen.map(({ method, headers }) => [method, headers.host])).toEqual([
      ['GET', `site.example:${sitePort}`],
      ['GET', `other.example:${sitePort}`],
    ]);
    for (const { headers } of seen)
      expect(Object.keys(headers).filter((name) => /cookie|auth|referer|content-(?:length|type)|transfer/.test(name))).toEqual([]);
  });

  it('is fetched directly, whatever proxy the environment names', async () => {
    const before = { ...process.env };
    Object.assign(process.env, {
      HTTP_PROXY: `http://127.0.0.1:${sentinelPort}`,
      http_proxy: `http://127.0.0.1:${sentinelPort}`,
      NODE_USE_ENV_PROXY: '1',
    });
    try {
      expect((await webWith().get(page(), never)).text).toBe('hello');
      expect(sentinelConnections).toBe(0);
    } finally {
      process.env = before;
    }
  });

  it('that redirects for ever is given up after five', async () => {
    answer = ({ url }, response) => void response.writeHead(302, { location: `${url}x` }).end();
    await expect(webWith().get(page(), never)).rejects.toThrow('more than 5 redirects');
    expect(seen).toHaveLength(6);
  });

  it('that is too large is cut, and says so', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' });
      const more = (error?: Error | null): void => void (error ?? response.write('x'.repeat(10_000), more));
      more();
    };
    const { text, truncated } = await webWith({ maxBytes: 25_000 }).get(page(), never);
    expect([text.length, truncated]).toEqual([25_000, true]);
  });

  it.each(['image/png', 'application/octet-stream', 'application/pdf', 'video/mp4', 'multipart/mixed'])(
    'of type %s is refused',
    async (type) => {
      answer = (_request, response) => void response.writeHead(200, { 'content-type': type }).end('x');
      await expect(webWith().get(page(), never)).rejects.toThrow('which is not text');
    },
  );

  it('that is compressed without being asked to is refused, so that it cannot burst', async () => {
    answer = (_request, response) => void response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' }).end('x');
    await expect(webWith().get(page(), never)).rejects.toThrow('compressed');
  });

  it('that does not come in time is given up, headers or body', async () => {
    for (const hang of [() => {}, (_request: unknown, response: { write(text: string): void }) => response.write('slowly')]) {
      answer = hang as RequestListener;
      expect(
        codeOf(
          await webWith({ timeoutMs: 50 })
            .get(page(), never)
            .catch((reason: unknown) => reason),
        ),
      ).toBe('unavailable');
    }
  });

  it('whose name is not resolved in time is given up', async () => {
    const web = webWith({ timeoutMs: 20, resolve: () => new Promise(() => {}) });
    expect(codeOf(await web.get(page(), never).catch((reason: unknown) => reason))).toBe('unavailable');
  });

  it('is given up at once when the turn is aborted', async () => {
    const stop = new AbortController();
    answer = () => stop.abort(new Error('stopped'));
    await expect(webWith().get(page(), stop.signal)).rejects.toThrow('stopped');
  });
});
