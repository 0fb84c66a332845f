import { join } from 'node:path';
import { formatFiles, generateFiles, names, type Tree } from '@nx/devkit';
import { addModuleLine, appendElement } from '../source-edits.ts';

interface ToolOptions {
  readonly name: string;
  readonly description?: string;
}

const tools = 'libs/agent/src/tools';

/** Adds a tool that is offered to models and fails, as its spec does, until it is written. */
export default async function tool(tree: Tree, options: ToolOptions): Promise<void> {
  const { fileName, propertyName } = names(options.name.replaceAll('_', '-'));
  if (tree.exists(`${tools}/${fileName}.ts`)) throw new Error(`${tools}/${fileName}.ts exists`);
  const words = fileName.replaceAll('-', ' ');
  const sentence = options.description ?? `${words[0]!.toUpperCase()}${words.slice(1)}.`;
  generateFiles(tree, join(import.meta.dirname, 'files'), tools, {
    fileName,
    propertyName,
    toolName: fileName.replaceAll('-', '_'),
    // The text of a comment must not end it.
    sentence: sentence.replaceAll('*/', '* /'),
    description: JSON.stringify(sentence),
  });
  addModuleLine(tree, `${tools}/index.ts`, `import { ${propertyName} } from './${fileName}.js';`);
  appendElement(tree, `${tools}/index.ts`, 'agentTools', propertyName);
  await formatFiles(tree);
}
