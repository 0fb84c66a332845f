/** Elements whose content nobody reads. */
const unread = new Set(['script', 'style', 'noscript', 'template', 'svg', 'iframe', 'object', 'head', 'nav', 'select', 'canvas']);
/** Elements that begin a line of their own. */
const blocks = new Set(
  'address article aside blockquote br dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header hr li main ol p pre section table td th tr ul'.split(
    ' ',
  ),
);
// prettier-ignore
const entities: Readonly<Record<string, string>> = {
  amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ', ndash: '–', mdash: '—', hellip: '…', copy: '©', reg: '®', euro: '€', laquo: '«',
  raquo: '»', lsquo: '‘', rsquo: '’', ldquo: '“', rdquo: '”', bull: '•', middot: '·', times: '×', deg: '°', auml: 'ä', ouml: 'ö', uuml: 'ü',
  Auml: 'Ä', Ouml: 'Ö', Uuml: 'Ü', szlig: 'ß', eacute: 'é', egrave: 'è', agrave: 'à', ccedil: 'ç', ntilde: 'ñ',
};

/**
 * The text of an HTML page as a person would read it: title first, a line a block, list items with a dash, without scripts, styles and menus. One pass
 * over the input in linear time, whatever the page does; it reads tags, it does not parse HTML.
 */
export function readableText(html: string): string {
  const title = /<title[^>]{0,200}>([^<]{0,500})/i.exec(html.slice(0, 100_000))?.[1];
  const body = tidy(plain(html));
  return [title && tidy(decode(title)), body].filter(Boolean).join('\n\n');
}

function plain(html: string): string {
  const out: string[] = [];
  // Once the end of an element is missing it is missing for good; looking again for each one would cost the square of the page.
  const neverEnding = new Set<string>();
  let preformatted = false;
  const say = (text: string): void => void out.push(decode(preformatted ? text : text.replace(/\s+/g, ' ')));
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf('<', at);
    if (open < 0) {
      say(html.slice(at));
      break;
    }
    say(html.slice(at, open));
    if (html.startsWith('<!--', open)) {
      at = after(html, '-->', open + 4);
      continue;
    }
    const name = /^\/?[a-zA-Z][a-zA-Z0-9]*/.exec(html.slice(open + 1, open + 40))?.[0].toLowerCase();
    if (name === undefined && !/[!?/]/.test(html[open + 1] ?? '')) {
      out.push('<');
      at = open + 1;
      continue;
    }
    at = after(html, '>', open + 1);
    if (name === 'pre' || name === '/pre') preformatted = name === 'pre';
    if (name && unread.has(name) && !neverEnding.has(name)) {
      const end = endOf(html, name, at);
      if (end === undefined) neverEnding.add(name);
      // A script that never ends hides the rest in a browser too; but a forgotten </nav> must not hide the page.
      at = end ?? (name === 'script' || name === 'style' ? html.length : at);
    } else if (name === 'li') out.push('\n- ');
    else if (name && blocks.has(name.replace('/', ''))) out.push('\n');
  }
  return out.join('');
}

/** Position behind the next `mark`, or the end. */
function after(html: string, mark: string, from: number): number {
  const found = html.indexOf(mark, from);
  return found < 0 ? html.length : found + mark.length;
}

/** Position behind the closing tag of an element. */
function endOf(html: string, name: string, from: number): number | undefined {
  const end = new RegExp(`</${name}[^>]{0,200}>`, 'gi');
  end.lastIndex = from;
  return end.test(html) ? end.lastIndex : undefined;
}

function decode(text: string): string {
  return text.includes('&')
    ? text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-zA-Z]{2,8}));/g, (whole, hex?: string, decimal?: string, named?: string) => {
        if (named) return entities[named] ?? whole;
        const code = hex ? Number.parseInt(hex, 16) : Number(decimal);
        return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : whole;
      })
    : text;
}

function tidy(text: string): string {
  return text
    .split('\n')
    .map((line) => line.replace(/[\s\u00a0]+/g, ' ').trim())
    .filter((line) => line && line !== '-')
    .join('\n');
}
