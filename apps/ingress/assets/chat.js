// @ts-check
import { Connection } from './connection.js';
import { Conversation, byId } from './conversation.js';
import { Outbox } from './outbox.js';

/**
 * The chat page: `Outbox` sends, `Connection` follows the event stream, `Conversation` shows. Messages and answers live on the server; the page keeps
 * only what it could not send yet.
 */

const { tenant = '', name = '' } = document.body.dataset;
const input = /** @type {HTMLTextAreaElement} */ (byId('text'));
const sendButton = /** @type {HTMLButtonElement} */ (byId('send'));
const statusTexts = { connecting: 'Connecting…', online: 'Online', offline: 'You are offline', ended: 'Disconnected' };

/** @param {keyof typeof statusTexts} state */
function showStatus(state) {
  if (byId('status').dataset.state === state) return;
  byId('status').dataset.state = state;
  byId('status').textContent = statusTexts[state];
}

/** @param {string} text Empty: no notice. @param {string} [label] @param {() => void} [act] */
function showNotice(text, label, act) {
  byId('notice').hidden = text === '';
  byId('notice-text').textContent = text;
  byId('notice-action').hidden = label === undefined;
  byId('notice-action').textContent = label ?? '';
  byId('notice-action').onclick = act ?? null;
}

const conversation = new Conversation(name, {
  answered() {
    if (document.hidden) document.title = `● ${name}`;
  },
});

const outbox = new Outbox(`/chat/${tenant}/messages`, `rockpool-unsent:${tenant}`, {
  changed(message) {
    if (conversation.has(message.id)) return;
    conversation.showUnsent(message, {
      retry: () => outbox.retry(message),
      discard() {
        outbox.forget(message.id);
        conversation.removeUnsent(message.id);
      },
    });
  },
  unauthenticated: () => ended('unauthenticated'),
});

const connection = new Connection(`/chat/${tenant}/events`, {
  event(kind, data) {
    if (kind === 'hello') showNotice(data.paused ? `${name} is paused at the moment and does not answer.` : '');
    if (kind === 'typing') conversation.typing(data.forMs);
    if (kind === 'feed') {
      conversation.apply(data);
      for (const { messageId, role } of data.items) if (role === 'user' && messageId) outbox.forget(messageId);
    }
  },
  state: showStatus,
  ended,
});

/** @param {string} code */
function ended(code) {
  showStatus('ended');
  if (code === 'superseded') {
    return showNotice('This chat is open in many windows; this one was disconnected.', 'Use it here', () => {
      showNotice('');
      void connection.run();
    });
  }
  showNotice('Your session has ended.', 'Start again', () => location.reload());
}

function fit() {
  sendButton.disabled = input.value.trim() === '';
  input.style.height = 'auto';
  input.style.height = `${input.scrollHeight}px`;
}

function submit() {
  const text = input.value.trim();
  if (text === '') return;
  input.value = '';
  fit();
  outbox.add(text);
}

input.addEventListener('input', fit);
input.addEventListener('keydown', (event) => {
  // While an input method composes a character, Enter belongs to it.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
byId('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  submit();
  input.focus();
});
for (const suggestion of document.querySelectorAll('[data-say]')) {
  suggestion.addEventListener('click', () => {
    outbox.add(suggestion.getAttribute('data-say') ?? '');
    input.focus();
  });
}
for (const avatar of document.querySelectorAll('[data-initial]')) avatar.textContent = [...name][0]?.toUpperCase() ?? '';
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) document.title = name;
});

for (const message of outbox.messages) outbox.on.changed(message);
void outbox.send();
void connection.run();
// On a phone the keyboard would cover half of the page before anything was read.
if (matchMedia('(pointer: fine)').matches) input.focus();
fit();
