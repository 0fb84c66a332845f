import { join } from 'node:path';
import { formatFiles, generateFiles, logger, names, type GeneratorCallback, type Tree } from '@nx/devkit';
import { addModuleLine, appendCase, appendElement } from '../source-edits.ts';

interface ChannelOptions {
  readonly name: string;
  readonly limit?: number;
}

const channels = 'libs/channels';

/**
 * Adds a channel that compiles, is known to the platform and is closed: its webhook refuses everybody, no tenant has it, and nothing is sent. The contract
 * suite fails where the provider's protocol is still to be written.
 */
export default async function channel(tree: Tree, options: ChannelOptions): Promise<GeneratorCallback> {
  const { fileName: name, className, propertyName } = names(options.name);
  if (tree.exists(`${channels}/src/${name}`)) throw new Error(`${channels}/src/${name} exists`);
  const title = name.split('-').map(capitalised).join(' ');
  const words = { name, className, propertyName, title, limit: options.limit ?? 2_000 };
  generateFiles(tree, join(import.meta.dirname, 'files/source'), `${channels}/src/${name}`, words);
  generateFiles(tree, join(import.meta.dirname, 'files/fixtures'), `${channels}/fixtures/${name}`, words);

  appendElement(tree, 'libs/contracts/src/inbound.ts', 'channelName', `'${name}'`);
  addModuleLine(tree, `${channels}/src/index.ts`, `export * from './${name}/index.js';`);
  const replies = `${channels}/src/reply-channels.ts`;
  addModuleLine(tree, replies, `import { ${className}ReplyChannel } from './${name}/${name}-reply-channel.js';`);
  appendCase(tree, replies, 'for', `case '${name}': return new ${className}ReplyChannel();`);
  appendCase(tree, 'libs/tenancy/src/admission.ts', 'refusalOf', `case '${name}': return 'channel-not-configured';`);
  await formatFiles(tree);
  return () => logger.info(whatIsLeft(name, title));
}

function whatIsLeft(name: string, title: string): string {
  return `
${title} is known and closed. What is left:
  1. ${channels}/fixtures/${name}: webhooks as ${title} documents them; ${channels}/src/${name}: verify, parse, send, until
     npx nx test @rockpool/channels is green
  2. libs/tenancy/src/tenant.ts: its settings in tenants.yaml; credentials.ts: its secrets; admission.ts: who may speak
  3. apps/ingress/src/webhooks.controller.ts and ingress.module.ts: its endpoint
  4. UPDATE_SCHEMAS=1 npx nx test @rockpool/contracts: messages may now name ${name}. Apps that run yesterday's code refuse such
     messages, so deploy all of them before the first tenant has the channel`;
}

function capitalised(word: string): string {
  return `${word[0]!.toUpperCase()}${word.slice(1)}`;
}
