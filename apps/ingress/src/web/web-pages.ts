import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { NotFound } from '@rockpool/contracts';
import type { Tenant } from '@rockpool/tenancy';

/** A file as it is served. */
export interface ServedFile {
  readonly content: string;
  readonly contentType: string;
  readonly etag: string;
}

// The folder lies beside `src` and beside `dist`, so that it is found from either.
const folder = new URL('../../assets/', import.meta.url);

const contentTypes: Readonly<Record<string, string>> = {
  'chat.js': 'text/javascript; charset=utf-8',
  'connection.js': 'text/javascript; charset=utf-8',
  'conversation.js': 'text/javascript; charset=utf-8',
  'outbox.js': 'text/javascript; charset=utf-8',
  'chat.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
};

/** Sent with every page: nothing may be loaded, run, framed or posted to but what this origin serves. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

/** The page, its style and its script, read once at start. */
export class WebPages {
  readonly #files = new Map<string, ServedFile>();
  readonly #chat = readFileSync(new URL('chat.html', folder), 'utf8');
  readonly #closed = readFileSync(new URL('closed.html', folder), 'utf8');

  constructor() {
    for (const [name, contentType] of Object.entries(contentTypes)) {
      this.#files.set(name, servedFile(readFileSync(new URL(name, folder), 'utf8'), contentType));
    }
  }

  /** A file of the page. Throws `NotFound`. Where its address carries the hash of its content it may be kept for ever. */
  asset(name: string): ServedFile {
    const file = this.#files.get(name);
    if (!file) throw new NotFound('there is no such file');
    return file;
  }

  /** The chat of one tenant. */
  chat(tenant: Tenant): ServedFile {
    return this.#page(this.#chat, { displayName: tenant.spec.displayName ?? tenant.id, tenant: tenant.id });
  }

  /** What somebody sees who is not let in. */
  closed(reason: 'absent' | 'expired'): ServedFile {
    const texts =
      reason === 'expired'
        ? { title: 'This link has expired', text: 'Ask whoever sent it to you for a new one.' }
        : { title: 'There is no chat here', text: 'Check the address. Some chats can only be opened with the link their owner sends you.' };
    return this.#page(this.#closed, texts);
  }

  #page(template: string, values: Readonly<Record<string, string>>): ServedFile {
    const content = template
      .replace(/\{\{asset ([\w.]+)\}\}/g, (_, name: string) => `/chat-assets/${name}?v=${this.asset(name).etag.slice(1, 13)}`)
      .replace(/\{\{(\w+)\}\}/g, (_, name: string) => escapeHtml(values[name] ?? ''));
    return servedFile(content, 'text/html; charset=utf-8');
  }
}

function servedFile(content: string, contentType: string): ServedFile {
  return { content, contentType, etag: `"${createHash('sha256').update(content).digest('hex').slice(0, 24)}"` };
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
