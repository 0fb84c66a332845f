import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

/** The repository. */
export const root = fileURLToPath(new URL('../../../..', import.meta.url));

interface Instruction {
  readonly keyword: string;
  readonly text: string;
}

/** One `FROM` of a Dockerfile and what follows it. */
export interface Stage {
  readonly name: string;
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

/** The Dockerfile as its stages, comments gone and continued lines joined. */
export function readDockerfile(): readonly Stage[] {
  const lines = readFileSync(join(root, 'Dockerfile'), 'utf8')
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: { name: string; from: string; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const [, keyword = '', text = ''] = /^(\w+)\s*(.*)$/.exec(line) ?? [];
    if (keyword === 'FROM') {
      const [, from = '', name = ''] = /^(\S+) AS (\S+)$/.exec(text) ?? [];
      stages.push({ name, from, instructions: [] });
    } else stages.at(-1)?.instructions.push({ keyword, text });
  }
  return stages;
}

/** The texts of all instructions of that keyword. */
export function instructionsOf(stage: Stage, keyword: string): string[] {
  return stage.instructions.filter((instruction) => instruction.keyword === keyword).map(({ text }) => text);
}

/** The variables that the image of a stage sets. */
export function imageEnvironment(stage: Stage): Record<string, string> {
  return Object.fromEntries(
    instructionsOf(stage, 'ENV').flatMap((text) => text.split(/\s+/).map((pair) => pair.split('=', 2) as [string, string])),
  );
}

export interface ComposeService {
  readonly image: string;
  readonly build?: { readonly context: string; readonly target: string; readonly args?: Readonly<Record<string, string>> };
  readonly profiles?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly expose?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly disable?: boolean; readonly test?: readonly string[] };
  readonly read_only?: boolean;
  readonly init?: boolean;
  readonly cap_drop?: readonly string[];
  readonly stop_grace_period?: string;
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** docker-compose.yml with its anchors resolved, and its variables as they are where none is set. */
export function readCompose(): ComposeFile {
  const text = readFileSync(join(root, 'docker-compose.yml'), 'utf8');
  const whereUnset = (_key: unknown, value: unknown) => (typeof value === 'string' ? value.replace(/\$\{\w+:-([^}]*)\}/g, '$1') : value);
  return parse(text, whereUnset, { merge: true }) as ComposeFile;
}

export interface CollectorFile {
  readonly receivers: { readonly otlp: { readonly protocols: Readonly<Record<string, { readonly endpoint: string }>> } };
  readonly processors: Readonly<Record<string, unknown>>;
  readonly exporters: Readonly<Record<string, { readonly endpoint: string }>>;
  readonly service: {
    readonly pipelines: Readonly<Record<string, Readonly<Record<'receivers' | 'processors' | 'exporters', readonly string[]>>>>;
  };
}

/** The configuration of the collector. */
export function readCollector(): CollectorFile {
  return parse(readFileSync(join(root, 'docker/otel-collector.yaml'), 'utf8')) as CollectorFile;
}
