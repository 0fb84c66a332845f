import type { Plugin } from 'rolldown';

/**
 * Two rolldown plugins that keep from a start what it does not need. `npm run bench:images` tells sizes and times.
 */

/**
 * What packages bring along and Rockpool never uses, by who asks for it. Fastify's compilers of JSON schemas: requests are validated by zod. The classes of every message
 * of Google's APIs: the clients work by the descriptions beside them. Together more than half of what a bundle of one app would hold.
 */
const unused: readonly { readonly source: RegExp; readonly importer: RegExp }[] = [
  { source: /^@fastify\/(ajv-compiler|fast-json-stringify-compiler)$/, importer: /\/fastify\/lib\// },
  { source: /^(\.\.\/)+protos\/protos(\.js)?$/, importer: /\/@google-cloud\/[\w-]+\/build\/(esm\/)?src\/index\.js$/ },
  { source: /^@google-cloud\/firestore-api\/build\/protos\/protos$/, importer: /\/@google-cloud\/firestore\/build\/protos\// },
  { source: /^(\.\.\/)+protos\/(iam_service|locations|operations)$/, importer: /\/google-gax\/build\/src\// },
];

const unusedId = '\0rockpool:unused';

/** Puts a module without content in the place of {@link unused} ones. */
export function unusedModules(): Plugin {
  return {
    name: 'rockpool:unused-modules',
    resolveId(source, importer) {
      const isUnused = importer !== undefined && unused.some((one) => one.source.test(source) && one.importer.test(importer));
      return isUnused ? { id: unusedId, moduleSideEffects: false } : null;
    },
    // Firestore's serializer looks into its namespace when it is loaded, and finds no class there that it needs.
    load: (id) => (id === unusedId ? 'module.exports = { google: { firestore: { v1: {} } } };' : null),
  };
}

const httpId = '\0rockpool:http';

/** Versions of Google's APIs that Rockpool calls nothing of, by the folder of their client. */
const unusedVersions: Readonly<Record<string, readonly string[]>> = { tasks: ['v2beta2'], 'secret-manager': ['v1beta2'] };
const description = /\/@google-cloud\/([\w-]+)\/build\/protos\/protos\.json$/;

/**
 * - `node:http` is asked for as CommonJS asks for it. An ESM import reads every export of it at once, and one of them loads the whole client behind `fetch`.
 * - What Google's clients describe of {@link unusedVersions} is left out: a client reads all of its description when it is made.
 */
export function quickStart(): Plugin {
  return {
    name: 'rockpool:quick-start',
    resolveId: (source) => (/^(node:)?http$/.test(source) ? { id: httpId, moduleSideEffects: false } : null),
    load: (id) => (id === httpId ? "module.exports = process.getBuiltinModule('node:http');" : null),
    transform: {
      filter: { id: description },
      handler: (code, id) => {
        const unused = unusedVersions[description.exec(id)![1]!] ?? [];
        return { map: null, code: JSON.stringify(without(unused, JSON.parse(code) as Namespace)) };
      },
    },
  };
}

/** A description of protocol buffers: namespaces below `nested`, by name. */
interface Namespace {
  readonly nested?: Readonly<Record<string, Namespace>>;
}

function without(names: readonly string[], namespace: Namespace): Namespace {
  if (!namespace.nested) return namespace;
  const kept = Object.entries(namespace.nested).filter(([name]) => !names.includes(name));
  return { ...namespace, nested: Object.fromEntries(kept.map(([name, inner]) => [name, without(names, inner)])) };
}
