import { isIP } from 'node:net';
import { InvalidInput } from '@rockpool/contracts';

/** Names that mean this machine, this network or a cloud's metadata, whatever they resolve to. */
const privateSuffixes = [
  'localhost',
  'local',
  'localdomain',
  'internal',
  'intranet',
  'lan',
  'home.arpa',
  'corp',
  'home',
  'svc',
  'onion',
  'test',
  'invalid',
];
const maxUrlCharacters = 2_048;

/**
 * Reads a URL that a model or a redirect gave, and refuses what could not be a public page: another scheme than http and https, a user name or password, a
 * port that is not allowed, a private or single-label name, an IPv4 address in any but its plain dotted form. Addresses are not judged here.
 * Throws `InvalidInput` with a message that is fit for the model.
 */
export function webTarget(raw: string, ports: readonly number[], base?: URL): URL {
  if (raw.length > maxUrlCharacters) throw new InvalidInput(`the address is longer than ${maxUrlCharacters} characters`);
  if (!URL.canParse(raw, base?.href)) throw new InvalidInput('that is not a valid address');
  const url = new URL(raw, base?.href);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new InvalidInput('only http and https can be fetched');
  if (url.username || url.password) throw new InvalidInput('an address with a user name or password is refused');
  const port = url.port ? Number(url.port) : url.protocol === 'https:' ? 443 : 80;
  if (!ports.includes(port)) throw new InvalidInput(`port ${port} is refused`);
  const host = url.hostname.replace(/\.$/, '');
  if (isIP(host) === 4 && host !== base?.hostname && hostAsWritten(raw) !== host)
    throw new InvalidInput('an IPv4 address must be written as four plain decimal numbers');
  if (!isIP(host) && !host.startsWith('[')) refusePrivateName(host);
  return url;
}

function refusePrivateName(host: string): void {
  const labels = host.toLowerCase().split('.');
  if (labels.length < 2 || privateSuffixes.some((suffix) => `.${host.toLowerCase()}`.endsWith(`.${suffix}`)))
    throw new InvalidInput(`${host} is not a public name`);
}

/** The host before the URL parser made 127.0.0.1 of 0x7f.1, 2130706433 or ①②⑦.1: who writes an address like that wants to slip past a filter. */
function hostAsWritten(raw: string): string | undefined {
  const authority = /^\s*[a-z][a-z0-9+.-]*:[\\/]*([^\\/?#]*)/i.exec(raw)?.[1] ?? /^[\\/]{2,}([^\\/?#]*)/.exec(raw)?.[1];
  return authority?.replace(/:\d*$/, '').replace(/\.$/, '').trim();
}
