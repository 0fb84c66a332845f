// @ts-check

/**
 * @typedef {import('./outbox.js').Unsent} Unsent
 * @typedef {{
 *   key: string, at: string, role: 'user' | 'assistant', state: 'placed' | 'streaming' | 'final', messageId?: string, html?: string, text?: string
 * }} Item
 */

const pauseMs = 1_800_000;
/** Whoever comes so near to the end is led along by what is added. */
const nearEndPx = 64;

/** What is seen of the conversation, in the order of the feed, with what is not sent yet at its end. */
export class Conversation {
  #list = byId('messages');
  #feed = byId('feed');
  /** @type {Map<string, { item: Item, node: HTMLElement }>} */
  #shown = new Map();
  /** @type {Map<string, HTMLElement>} */
  #unsent = new Map();
  #sticksToEnd = true;
  /** Where the feed stood when it was last looked at or moved. */
  #top = 0;
  #typingTimer = 0;

  /** @param {string} displayName @param {{ answered: () => void }} on */
  constructor(displayName, on) {
    this.displayName = displayName;
    this.on = on;
    this.#feed.addEventListener('scroll', () => this.#scrolled());
    // A turned wheel moves the page in its own time: what is added meanwhile must not take it back.
    this.#feed.addEventListener(
      'wheel',
      ({ deltaY, ctrlKey }) => deltaY < 0 && !ctrlKey && this.#feed.scrollTop > 0 && this.#stick(false),
      {
        passive: true,
      },
    );
    byId('jump').addEventListener('click', () => this.#toEnd());
    const keepAtEnd = new ResizeObserver(() => this.#sticksToEnd && this.#toEnd());
    keepAtEnd.observe(this.#list);
    keepAtEnd.observe(this.#feed);
    this.#list.addEventListener('click', ({ target }) => target instanceof HTMLElement && target.className === 'copy' && copyFrom(target));
  }

  /** @param {{ complete: boolean, items: Item[] }} change */
  apply({ complete, items }) {
    const keys = new Set(items.map((item) => item.key));
    if (complete) for (const key of this.#shown.keys()) if (!keys.has(key)) this.#shown.delete(key);
    for (const item of items) this.#show(item, complete);
    this.#arrange();
  }

  /** @param {string} messageId */
  has(messageId) {
    return this.#shown.has(`m.${messageId}`);
  }

  /** @param {Unsent} message @param {{ retry: () => void, discard: () => void }} actions */
  showUnsent(message, actions) {
    const known = this.#unsent.get(message.id);
    if (!known) this.#stick(true);
    const node = known ?? element('li');
    this.#unsent.set(message.id, node);
    node.className = `message mine ${{ new: 'unsent', waiting: 'unsent', refused: 'failed', accepted: '' }[message.state]}`;
    node.replaceChildren(element('span', 'hidden', 'You: '), element('div', 'body', message.text));
    if (message.state === 'waiting' || message.state === 'refused') {
      const note = element('div', 'note', message.note);
      note.append(button('Retry', actions.retry));
      if (message.state === 'refused') note.append(button('Discard', actions.discard));
      node.append(note);
    }
    this.#arrange();
  }

  /** @param {string} id */
  removeUnsent(id) {
    if (this.#unsent.delete(id)) this.#arrange();
  }

  /** Shows that something is being done; where an answer already takes shape, no other sign is needed. @param {number} forMs */
  typing(forMs) {
    const isAnswering = [...this.#shown.values()].some(({ item }) => item.role === 'assistant' && item.state !== 'final');
    clearTimeout(this.#typingTimer);
    byId('typing').hidden = forMs <= 0 || isAnswering;
    if (forMs > 0) this.#typingTimer = setTimeout(() => this.typing(0), forMs);
    if (this.#sticksToEnd) this.#toEnd();
  }

  #toEnd() {
    this.#stick(true);
    this.#feed.scrollTop = this.#feed.scrollHeight;
    this.#top = this.#feed.scrollTop;
  }

  /** Which way it went tells what the reader wants; a feed that was moved to its end by what is added went nowhere. */
  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#feed;
    const toEnd = scrollHeight - scrollTop - clientHeight;
    if (scrollTop < this.#top && toEnd > 1) this.#stick(false);
    else if (scrollTop > this.#top && toEnd < nearEndPx) this.#stick(true);
    this.#top = scrollTop;
  }

  /** @param {boolean} sticks */
  #stick(sticks) {
    this.#sticksToEnd = sticks;
    byId('jump').hidden = sticks;
    if (sticks) byId('jump-text').textContent = 'Latest';
  }

  /** @param {Item} item @param {boolean} isHistory */
  #show(item, isHistory) {
    const isMine = item.role === 'user';
    const before = this.#shown.get(item.key);
    const node = before?.node ?? element('li', `message ${isMine ? 'mine' : 'theirs'}`);
    if (!before) node.append(element('span', 'hidden', isMine ? 'You: ' : `${this.displayName}: `), element('div', 'body'));
    this.#shown.set(item.key, { item, node });
    node.title = new Date(item.at).toLocaleString();
    node.classList.toggle('streaming', item.state === 'streaming');
    node.setAttribute('aria-busy', String(item.state !== 'final'));
    const body = /** @type {HTMLElement} */ (node.querySelector('.body'));
    if (isMine) {
      body.textContent = item.text ?? '';
      this.#unsent.delete(item.messageId ?? '');
      return;
    }
    if (item.state === 'placed') body.replaceChildren(/** @type {Element} */ (byId('typing').querySelector('.dots')).cloneNode(true));
    else rewrite(body, item.html ?? '');
    this.typing(0);
    if (isHistory || item.state !== 'final' || before?.item.state === 'final') return;
    byId('announcer').textContent = body.textContent;
    if (!this.#sticksToEnd) byId('jump-text').textContent = 'New answer';
    this.on.answered();
  }

  #arrange() {
    /** @type {HTMLElement[]} */
    const nodes = [];
    let lastAt = 0;
    for (const { item, node } of [...this.#shown.values()].sort((one, other) => byPlace(one.item, other.item))) {
      const at = Date.parse(item.at);
      if (at - lastAt > pauseMs) nodes.push(momentOf(at, this.#list));
      lastAt = at;
      nodes.push(node);
    }
    nodes.push(...this.#unsent.values());
    nodes.forEach((node, index) => {
      if (this.#list.children[index] !== node) this.#list.insertBefore(node, this.#list.children[index] ?? null);
    });
    while (this.#list.children.length > nodes.length) this.#list.lastElementChild?.remove();
    byId('empty').hidden = nodes.length > 0;
    if (this.#sticksToEnd) this.#toEnd();
  }
}

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** @param {string} tag @param {string} [className] @param {string} [text] */
function element(tag, className = '', text = '') {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

/** @param {string} label @param {() => void} onClick */
function button(label, onClick) {
  const made = Object.assign(document.createElement('button'), { type: 'button', textContent: label });
  made.addEventListener('click', onClick);
  return made;
}

/** @param {Item} one @param {Item} other */
function byPlace(one, other) {
  if (one.at !== other.at) return one.at < other.at ? -1 : 1;
  return one.key < other.key ? -1 : 1;
}

/** The line above what was said after a pause; one that is there already is used again. @param {number} at @param {HTMLElement} list */
function momentOf(at, list) {
  const id = `moment-${at}`;
  const known = list.querySelector(`#${id}`);
  if (known instanceof HTMLElement) return known;
  const time = new Date(at);
  const isToday = time.toDateString() === new Date().toDateString();
  const day = isToday ? 'Today' : time.toLocaleDateString(undefined, { weekday: 'short', day: 'numeric', month: 'short' });
  const clock = time.toLocaleTimeString(undefined, { hour: 'numeric', minute: '2-digit' });
  return Object.assign(element('li', 'moment', `${day}, ${clock}`), { id });
}

/**
 * Replaces an answer from its first block that differs, so that a selection in what was already written stays. The server has made the HTML safe.
 * @param {HTMLElement} body @param {string} html
 */
function rewrite(body, html) {
  const template = document.createElement('template');
  template.innerHTML = html;
  furnish(template.content);
  const fresh = [...template.content.childNodes];
  const firstChanged = fresh.findIndex((node, index) => !node.isEqualNode(body.childNodes[index] ?? null));
  const kept = firstChanged === -1 ? fresh.length : firstChanged;
  while (body.childNodes.length > kept) body.lastChild?.remove();
  body.append(...fresh.slice(kept));
}

/** Wide tables scroll, code says its language and can be copied. @param {DocumentFragment} content */
function furnish(content) {
  for (const table of content.querySelectorAll('table')) wrap(table, 'scroll');
  for (const code of content.querySelectorAll('pre')) {
    const language = /language-(\S+)/.exec(code.firstElementChild?.className ?? '')?.[1] ?? '';
    const title = element('div', 'code-title');
    title.append(element('span', '', language));
    // The clipboard exists only over TLS and on localhost.
    if ('clipboard' in navigator) title.append(Object.assign(element('button', 'copy', 'Copy'), { type: 'button' }));
    wrap(code, 'code').prepend(title);
  }
}

/** @param {Element} inner @param {string} className */
function wrap(inner, className) {
  const holder = element('div', className);
  inner.replaceWith(holder);
  holder.append(inner);
  return holder;
}

/** @param {HTMLElement} copyButton */
async function copyFrom(copyButton) {
  await navigator.clipboard.writeText(copyButton.closest('.code')?.querySelector('pre')?.textContent ?? '');
  copyButton.textContent = 'Copied';
  setTimeout(() => (copyButton.textContent = 'Copy'), 1_500);
}
