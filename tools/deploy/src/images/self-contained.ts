import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Plugin } from 'rolldown';
import { packageOf } from './runtime-packages.js';

/**
 * Three rolldown plugins that leave nothing in a bundle that points outside of it.
 */

/** What `createRequire(import.meta.url)('../package.json')` gives, put in its place. */
const requiredJson = /createRequire\(import\.meta\.url\)\((['"])([^'"]+\.json)\1\)/g;
/** The way of @google-cloud/tasks: `getJSON(path.join(dirname, '..', 'protos/protos.json'))`. */
const joinedJson = /getJSON\(path\.join\(dirname,\s*((?:'[^']*'(?:,\s*)?)+)\)\)/g;

/** JSON files that modules read beside themselves by a computed path become imports, which the bundler carries. */
export function jsonBesideModules(): Plugin {
  return {
    name: 'rockpool:json-beside-modules',
    transform: {
      filter: { code: /createRequire\(import\.meta\.url\)\(['"][^'"]+\.json['"]\)|getJSON\(path\.join\(dirname,/ },
      handler(code, id) {
        const files: string[] = [];
        const imported = (file: string) => {
          if (!existsSync(file)) this.error(`${id} reads ${file}, which is not there`);
          return `__json${files.push(file) - 1}`;
        };
        const rewritten = code
          .replace(requiredJson, (_, _quote, path: string) => imported(resolve(dirname(id), path)))
          .replace(joinedJson, (_, parts: string) =>
            imported(resolve(dirname(id), ...parts.split(',').map((part) => part.trim().slice(1, -1)))),
          );
        return {
          map: null,
          code: `${files.map((file, index) => `import __json${index} from ${JSON.stringify(file)};`).join('')}${rewritten}`,
        };
      },
    },
  };
}

const besideThisModule = /new URL\(\s*(['"])([^'"]+)\1\s*,\s*import\.meta\.url\s*\)/g;

/** Files and folders that a module names by `new URL('…', import.meta.url)` are copied to `assets/` beside the bundle, and the URL leads there. */
export function filesBesideModules(): Plugin {
  return {
    name: 'rockpool:files-beside-modules',
    transform: {
      filter: { code: /new URL\(\s*['"][^'"]+['"]\s*,\s*import\.meta\.url\s*\)/ },
      handler(code, id) {
        const rewritten = code.replace(besideThisModule, (_, _quote, path: string) => {
          const target = resolve(dirname(id), path);
          if (!existsSync(target)) return this.error(`${id} names ${path}, which is not there`);
          const isFolder = statSync(target).isDirectory();
          // Named after the project it belongs to: two of them may each have an `assets`.
          const place = `assets/${basename(dirname(target))}-${basename(target)}`;
          for (const file of isFolder ? filesBelow(target) : ['']) {
            this.emitFile({ type: 'asset', fileName: join(place, file), source: readFileSync(join(target, file)) });
          }
          return `new URL('./${place}${isFolder ? '/' : ''}', import.meta.url)`;
        });
        return { map: null, code: rewritten };
      },
    },
  };
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/**
 * What packages require if it is there, and Rockpool does not install. Asking for one of these in an image fails the way it does without the package; any other
 * import that cannot be resolved fails the build.
 */
const optionalPackages: readonly string[] = [
  '@fastify/multipart',
  '@fastify/static',
  '@fastify/view',
  '@nats-io/transport-node',
  '@nestjs/platform-express',
  '@nestjs/websockets',
  'amqp-connection-manager',
  'amqplib',
  'bufferutil',
  'class-transformer',
  'class-validator',
  'encoding',
  'ioredis',
  'kafkajs',
  'mqtt',
  'supports-color',
  'utf-8-validate',
];

const absentPrefix = '\0absent:';

/**
 * Stands in for {@link optionalPackages} with a module that throws `MODULE_NOT_FOUND`, also for one that is here for development alone, and refuses whatever else is not
 * installed. `allowed` holds the folders of what the app needs at run time.
 */
export function absentPackages(allowed: ReadonlySet<string>): Plugin {
  return {
    name: 'rockpool:absent-packages',
    async resolveId(source, importer, options) {
      if (importer === undefined || /^(\.|\/|\0|node:)/.test(source)) return null;
      const name = source.split('/', source.startsWith('@') ? 2 : 1).join('/');
      const isOptional = optionalPackages.includes(name);
      const resolved = await this.resolve(source, importer, { ...options, skipSelf: true });
      if (resolved && (!isOptional || resolved.external || allowed.has(packageOf(resolved.id).folder))) return resolved;
      if (!isOptional) this.error(`${importer} imports ${source}, which is not installed and not known to be optional`);
      return { id: `${absentPrefix}${source}`, moduleSideEffects: true };
    },
    load(id) {
      if (!id.startsWith(absentPrefix)) return null;
      const message = `Cannot find package '${id.slice(absentPrefix.length)}': it is not part of this image`;
      return `throw Object.assign(new Error(${JSON.stringify(message)}), { code: 'MODULE_NOT_FOUND' });`;
    },
  };
}
