import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parse } from '@cdktf/hcl2json';
import { repositoryFolder } from '../repository.js';

/** A block's attributes and inner blocks, as hcl2json gives them: expressions are text in `${…}`, blocks are lists. */
export type Block = Readonly<Record<string, unknown>>;

/** One folder of Terraform: what is declared in its files, by name. */
export interface TerraformModule {
  /** Relative to `infra`. */
  readonly folder: string;
  readonly settings: Block;
  readonly variables: ReadonlyMap<string, Block>;
  readonly locals: ReadonlyMap<string, unknown>;
  readonly outputs: ReadonlyMap<string, Block>;
  /** By `type.name`. */
  readonly resources: ReadonlyMap<string, Block>;
  readonly data: ReadonlyMap<string, Block>;
  readonly calls: ReadonlyMap<string, Block>;
  /** Every text that holds an expression. */
  readonly expressions: readonly string[];
}

const infra = join(repositoryFolder, 'infra');

/** Reads every folder below `infra` that has Terraform files, by folder. Rejects with what is wrong when a file is no HCL. */
export async function readTerraform(): Promise<ReadonlyMap<string, TerraformModule>> {
  const folders = new Set(globSync('**/*.tf', { cwd: infra }).map(dirname));
  const modules = await Promise.all([...folders].sort().map(readModule));
  return new Map(modules.map((module) => [module.folder, module]));
}

async function readModule(folder: string): Promise<TerraformModule> {
  const files = globSync('*.tf', { cwd: join(infra, folder) }).map((name) => join(infra, folder, name));
  const parsed: Block[] = await Promise.all(files.map((file) => parse(file, readFileSync(file, 'utf8'))));
  return {
    folder,
    settings: Object.assign({}, ...parsed.flatMap((file) => (file['terraform'] ?? []) as Block[])) as Block,
    variables: named(parsed, 'variable'),
    locals: new Map(parsed.flatMap((file) => (file['locals'] ?? []) as Block[]).flatMap((locals) => Object.entries(locals))),
    outputs: named(parsed, 'output'),
    resources: typed(parsed, 'resource'),
    data: typed(parsed, 'data'),
    calls: named(parsed, 'module'),
    expressions: parsed.flatMap(expressionsIn),
  };
}

function named(files: readonly Block[], kind: string): ReadonlyMap<string, Block> {
  const entries = files.flatMap((file) => Object.entries((file[kind] ?? {}) as Record<string, Block[]>));
  return new Map(entries.map(([name, blocks]) => [name, blocks[0]!]));
}

function typed(files: readonly Block[], kind: string): ReadonlyMap<string, Block> {
  const types = files.flatMap((file) => Object.entries((file[kind] ?? {}) as Record<string, Record<string, Block[]>>));
  return new Map(types.flatMap(([type, blocks]) => Object.entries(blocks).map(([name, [block]]) => [`${type}.${name}`, block!])));
}

function expressionsIn(value: unknown): string[] {
  if (typeof value === 'string') return value.includes('${') ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(expressionsIn);
}

/** What the expressions of a module name outside themselves: `var.x`, `local.x`, `data.type.name`, `module.x.output`, `google_type.name`. */
export function referencesOf(module: TerraformModule): ReadonlySet<string> {
  const patterns = [
    /(?<![\w.-])(?:var|local)\.[a-z_]\w*/g,
    /(?<![\w.-])data\.[a-z_]\w*\.[a-z_]\w*/g,
    /(?<![\w.-])module\.[a-z_]\w*(?:\[[^\]]*\])?(?:\.[a-z_]\w*)?/g,
    /(?<![\w.-])google_[a-z0-9_]+\.[a-z_]\w*/g,
  ];
  const found = module.expressions.flatMap((text) => patterns.flatMap((pattern) => text.match(pattern) ?? []));
  return new Set(found.map((reference) => reference.replace(/\[[^\]]*\]/, '')));
}

/** The folder, relative to `infra`, that a call of a module takes its source from. */
export function sourceOf(module: TerraformModule, call: Block): string {
  return relative(infra, resolve(infra, module.folder, String(call['source'])));
}

/** The files that a module reads: relative to the repository. */
export function filesOf(module: TerraformModule): string[] {
  const paths = module.expressions.flatMap((text) => [...text.matchAll(/file\("\$\{path\.module\}\/([^"]+)"\)/g)].map(([, path]) => path!));
  return paths.map((path) => relative(repositoryFolder, resolve(infra, module.folder, path)));
}
