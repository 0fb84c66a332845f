import type { TenantId } from '@rockpool/contracts';
import { isAlias, isMap, isSeq, LineCounter, parseDocument, visit, type Document as YamlDocument, type Node, type Scalar } from 'yaml';
import type { z } from 'zod';
import { keysAt, nearest } from './schema-hints.js';
import { alertSecretSlots, platform, secretSlots, sharedSecretSlots, storedSecret } from './secret-refs.js';
import { tenantsFile, type TenantsFile } from './tenant.js';

/** What is wrong in the file and where; `line` and `column` count from 1. `path` is dotted. A value is never quoted: it may be a secret. */
export interface FileProblem {
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
}

/** What is wrong with settings, wherever they came from. */
export interface SettingsProblem {
  readonly path: readonly string[];
  readonly message: string;
}

/** `at` tells where a path stands, for what is found out about the settings later. */
export type ParsedTenantsFile =
  | { readonly file: TenantsFile; readonly at: (path: readonly string[]) => { line: number; column: number } }
  | { readonly problems: readonly FileProblem[] };

/** Words that mean something else where a tenant's id is expected. */
const reserved: ReadonlySet<string> = new Set([platform, 'shared']);

/** Reads `tenants.yaml`: the whole of it is right, or every problem is told with its place. */
export function parseTenantsFile(text: string): ParsedTenantsFile {
  const lines = new LineCounter();
  // `prettyErrors` would quote lines of the file.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const at = (offset: number) => ({ line: lines.linePos(offset).line || 1, column: lines.linePos(offset).col || 1 });
  const faults = document.errors.map(({ code, message, pos }) => ({ ...at(pos[0]), path: '', message: yamlMessage(code, message) }));
  visit(document, {
    Alias: (_, alias) => {
      if (!alias.resolve(document)) faults.push({ ...at(alias.range?.[0] ?? 0), path: '', message: unknownAlias });
    },
  });
  if (faults.length > 0) return { problems: faults };
  const settings: unknown = document.toJS({ maxAliasCount: -1 });
  const result = tenantsFile.safeParse(settings);
  const problems = result.success ? checkSettings(result.data) : result.error.issues.flatMap((issue) => problemsOf(issue, settings));
  if (result.success && problems.length === 0) return { file: result.data, at: (path) => at(offsetOf(document, path)) };
  const placed = problems.map(({ path, message }) => ({ ...at(offsetOf(document, path)), path: path.join('.'), message }));
  return { problems: placed.sort((a, b) => a.line - b.line || a.column - b.column) };
}

/** The rules that look at more than one setting: reserved names, whose secrets may be referred to, whether a shared bot exists. */
export function checkSettings({ shared, alerts, tenants }: TenantsFile): SettingsProblem[] {
  const problems: SettingsProblem[] = [];
  const refuse = (path: readonly string[], message: string) => problems.push({ path, message });
  const ofPlatform = { shared: sharedSecretSlots(shared), alerts: alertSecretSlots(alerts) };
  for (const [where, slots] of Object.entries(ofPlatform)) {
    for (const { path, ref } of slots) {
      if ((storedSecret(ref)?.tenant ?? platform) !== platform)
        refuse([where, ...path], `only secrets of the platform: secret://${platform}/…`);
    }
  }
  for (const [id, spec] of Object.entries(tenants)) {
    const below = ['tenants', id];
    if (reserved.has(id)) refuse(below, `no tenant may be named ${id}: the platform uses this name itself`);
    for (const { path, ref } of secretSlots(id as TenantId, spec)) {
      if ((storedSecret(ref)?.tenant ?? id) !== id)
        refuse([...below, ...path], `a tenant may refer only to its own secrets: secret://${id}/…`);
    }
    for (const channel of ['telegram', 'slack'] as const) {
      if (spec.channels[channel]?.shared && !shared[channel]) {
        refuse([...below, 'channels', channel, 'shared'], `there is no shared ${channel} bot: describe it under shared.${channel}`);
      }
    }
  }
  return problems;
}

function problemsOf(issue: z.core.$ZodIssue, settings: unknown): SettingsProblem[] {
  const path = issue.path.map(String);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = keysAt(tenantsFile, issue.path, settings);
      return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(key, known) }));
    }
    case 'invalid_key':
      return [{ path, message: issue.issues[0]?.message ?? issue.message }];
    case 'invalid_type': {
      const found = path.reduce<unknown>((value, part) => (value as Record<string, unknown> | null | undefined)?.[part], settings);
      if (found === undefined) return [{ path, message: `${path.at(-1) ?? 'the file'} is missing` }];
      const what = path.length === 0 ? 'the file must be' : 'must be';
      return [{ path, message: `${what} ${article(issue.expected)}, not ${article(typeName(found))}` }];
    }
    case 'invalid_union':
      return issue.discriminator === undefined
        ? [{ path, message: issue.message }]
        : [{ path, message: `${issue.discriminator} must be true or false` }];
    case 'invalid_value':
      return [{ path, message: `must be ${issue.values.map(String).join(' or ')}` }];
    default:
      return [{ path, message: issue.message }];
  }
}

function unknownKey(key: string, known: readonly string[]): string {
  const hint = nearest(key, known);
  if (hint !== undefined) return `unknown setting ${key}; did you mean ${hint}?`;
  return `unknown setting ${key}; known here: ${known.join(', ')}`;
}

function typeName(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'list';
  return typeof value;
}

/** As a person calls it: YAML's own words for what zod calls record, array, string. */
function article(type: string): string {
  const names: Record<string, string> = {
    object: 'a mapping',
    record: 'a mapping',
    array: 'a list',
    list: 'a list',
    string: 'text',
    empty: 'empty',
  };
  return names[type] ?? `a ${type}`;
}

const unknownAlias = 'a value that begins with * is an alias in YAML, and no such anchor exists: put the value in quotes';

/** What is wrong with the YAML, in the parser's words where those cannot quote the file. */
function yamlMessage(code: string, message: string): string {
  if (code === 'DUPLICATE_KEY') return 'this key is here twice';
  return speakingCodes.has(code) ? message : 'this is not YAML: put text with special characters in quotes';
}

const speakingCodes: ReadonlySet<string> = new Set([
  'BAD_INDENT',
  'BLOCK_AS_IMPLICIT_KEY',
  'BLOCK_IN_FLOW',
  'MISSING_CHAR',
  'MULTILINE_IMPLICIT_KEY',
  'MULTIPLE_DOCS',
  'NON_STRING_KEY',
  'TAB_AS_INDENT',
]);

/** Where the key of the path stands; of a path that leads to nothing, the last part that exists. */
function offsetOf(document: YamlDocument, path: readonly string[]): number {
  let node = document.contents as Node | null | undefined;
  let offset = node?.range?.[0] ?? 0;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap<Scalar, Node | null>(node)) {
      const pair = node.items.find(({ key }) => String(key.value) === part);
      if (!pair) return offset;
      offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq<Node>(node)) {
      node = node.items[Number(part)];
      offset = node?.range?.[0] ?? offset;
    } else {
      return offset;
    }
  }
  return offset;
}
