import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { formatFiles, generateFiles, names, type GeneratorCallback, type Tree } from '@nx/devkit';
import { addModuleLine, appendElement, appendMember, membersOf } from '../source-edits.ts';

interface EventOptions {
  readonly name: string;
  readonly stream?: string;
  readonly topic?: string;
  readonly ordered?: boolean;
}

const contracts = 'libs/contracts/src';

/**
 * Adds an event that carries its tenant's id; the rest of its data is the developer's to add. The snapshot of its schema is written by the spec that
 * checks it, once the files are on disk.
 */
export default async function event(tree: Tree, options: EventOptions): Promise<GeneratorCallback> {
  const { name, fileName } = names(options.name);
  const words = fileName.split('-');
  const stream = options.stream ?? `${words.slice(0, -1).join('-')}s`;
  const topic = options.topic ?? stream;
  const type = `dev.rockpool.${stream}.${fileName}.v1`;
  if (tree.exists(`${contracts}/${fileName}.ts`)) throw new Error(`${contracts}/${fileName}.ts exists`);

  const topics = membersOf(tree, `${contracts}/topics.ts`, 'topics');
  const ordered = topics.has(topic) ? /ordered:\s*true/.test(topics.get(topic)!) : (options.ordered ?? true);
  if (!topics.has(topic)) {
    const description = ordered
      ? `Events of ${stream.replaceAll('-', ' ')}, ordered by tenant.`
      : `Events of ${stream.replaceAll('-', ' ')}.`;
    appendMember(tree, `${contracts}/topics.ts`, 'topics', `'${topic}': { ordered: ${ordered}, description: '${description}' }`);
  }

  const sentence = `${words[0]![0]!.toUpperCase()}${words.join(' ').slice(1)}.`;
  generateFiles(tree, join(import.meta.dirname, 'files'), contracts, { name, fileName, sentence, type, topic, ordered });
  addModuleLine(tree, `${contracts}/index.ts`, `export * from './${fileName}.js';`);
  addModuleLine(tree, `${contracts}/events.ts`, `import { ${name} } from './${fileName}.js';`);
  appendElement(tree, `${contracts}/events.ts`, 'events', name);
  await formatFiles(tree);
  return () => announce(tree.root, type);
}

/** Writes the snapshot of one event and leaves those of the others alone. */
function announce(root: string, type: string): void {
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const only = ['schemas', '--testNamePattern', type.replaceAll('.', '\\.')];
  execFileSync(process.execPath, ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', jest, ...only], {
    cwd: join(root, 'libs/contracts'),
    env: { ...process.env, UPDATE_SCHEMAS: '1' },
    // Not inherited: what the specs say is worth reading only when they fail, and is then in the error.
    stdio: 'pipe',
  });
}
