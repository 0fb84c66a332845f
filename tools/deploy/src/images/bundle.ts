import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { rolldown, type OutputChunk, type Plugin } from 'rolldown';
import type { ImageSource } from './images.js';
import { packageOf, runtimePackages } from './runtime-packages.js';
import { quickStart, unusedModules } from './quick-start.js';
import { absentPackages, filesBesideModules, jsonBesideModules } from './self-contained.js';

/** One JavaScript file of a bundle. */
interface BundledFile {
  readonly name: string;
  readonly bytes: number;
  /** Loaded when the process starts; others are loaded when they are needed. */
  readonly atStart: boolean;
  /** Bytes of it by the package they come from, largest first. */
  readonly packages: Readonly<Record<string, number>>;
}

/** What a bundle holds. */
export interface Bundle {
  readonly image: string;
  readonly folder: string;
  readonly files: readonly BundledFile[];
  /** Bytes of JavaScript that are read when the process starts, and of all that there is. Source maps are not counted. */
  readonly bytesAtStart: number;
  readonly bytes: number;
  /** Names of all packages with code in it. */
  readonly packages: readonly string[];
}

const entryId = '\0rockpool:entry';
const argumentsId = '\0rockpool:arguments';

/**
 * Writes the image's program to `folder`, which is emptied first: `main.js`, the chunks it loads at start and later, source maps, the files its modules read, and the
 * licences of what is in it. It needs Node and nothing else: no `node_modules`, no repository.
 *
 * Reads the compiled output, which keeps decorator metadata; rejects when there is none, when an import cannot be resolved, and when a module belongs to a package that is
 * no run-time dependency of the app.
 */
export async function bundleImage(image: ImageSource, { root, folder }: { root: string; folder: string }): Promise<Bundle> {
  const entry = join(root, image.entry);
  if (!existsSync(entry)) throw new Error(`${image.entry} is not there: npm run build`);
  empty(folder);
  const allowed = runtimePackages(packageOf(entry).folder);
  const build = await rolldown({
    input: { main: entryId },
    platform: 'node',
    cwd: root,
    // Importing one of these does nothing by itself, so what nobody uses of them is left out.
    treeshake: {
      moduleSideEffects: [
        { test: /\/(apps|libs)\/[\w-]+\/dist\/(?!main\.js$)|\/@nestjs\/microservices\/|\/@google-cloud\/tasks\//, sideEffects: false },
      ],
    },
    transform: { define: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' } },
    plugins: [
      entryModule(entry, image.defaultArguments),
      jsonBesideModules(),
      filesBesideModules(),
      unusedModules(),
      quickStart(),
      absentPackages(allowed),
      runtimeOnly(image, allowed),
    ],
  });
  try {
    const { output } = await build.write({
      dir: folder,
      format: 'esm',
      entryFileNames: 'main.js',
      chunkFileNames: '[name]-[hash].js',
      sourcemap: true,
      // Positions and names are enough to read a stack by; the sources are in the repository.
      sourcemapExcludeSources: true,
      // Names stay: Nest and the logs call classes by them.
      minify: { compress: true, mangle: false, codegen: true },
    });
    const chunks = output.filter((file) => file.type === 'chunk');
    refuseImportsOfOthers(chunks);
    return describe(image, folder, chunks);
  } finally {
    await build.close();
  }
}

/** The folder itself stays: who builds an image may own it and nothing around it. */
function empty(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
}

/** The program: what it does without arguments, then the app's own entry. */
function entryModule(entry: string, defaultArguments: readonly string[]): Plugin {
  return {
    name: 'rockpool:entry',
    resolveId: (source) => (source === entryId || source === argumentsId ? { id: source, moduleSideEffects: true } : null),
    load(id) {
      if (id === entryId) return `import ${JSON.stringify(argumentsId)};\nimport ${JSON.stringify(entry)};`;
      if (id !== argumentsId) return null;
      return defaultArguments.length === 0
        ? ''
        : `if (process.argv.length === 2) process.argv.push(...${JSON.stringify(defaultArguments)});`;
    },
  };
}

/** Refuses modules of packages that the app does not need at run time, and keeps the licences of the others. */
function runtimeOnly({ name }: ImageSource, allowed: ReadonlySet<string>): Plugin {
  return {
    name: 'rockpool:runtime-only',
    generateBundle(_options, bundle) {
      const used = new Map<string, string>();
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue;
        for (const id of chunk.moduleIds.filter(isFile)) {
          const owner = packageOf(id);
          if (!allowed.has(owner.folder)) this.error(`${name} would contain ${id}, but ${owner.name} is no run-time dependency of it`);
          used.set(owner.folder, owner.name);
        }
      }
      this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source: licences(used) });
      // Without it, Node would look for one in the folders above, and parse each file twice to learn what it is.
      this.emitFile({
        type: 'asset',
        fileName: 'package.json',
        source: `${JSON.stringify({ name: `rockpool-${name}`, private: true, type: 'module' })}\n`,
      });
    },
  };
}

function licences(packages: ReadonlyMap<string, string>): string {
  return [...packages]
    .sort(([, one], [, other]) => one.localeCompare(other))
    .flatMap(([folder, name]) =>
      readdirSync(folder)
        .filter((file) => /^(licen[cs]e|notice)/i.test(file))
        .map((file) => `${name}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`),
    )
    .join(`\n${'-'.repeat(80)}\n\n`);
}

/** A bundle that imports a package would look for it in whatever folder it lies in. */
function refuseImportsOfOthers(chunks: readonly OutputChunk[]): void {
  const own = new Set(chunks.map(({ fileName }) => fileName));
  for (const { fileName, imports, dynamicImports } of chunks) {
    const foreign = [...imports, ...dynamicImports].filter((name) => !own.has(name) && !isBuiltin(name));
    if (foreign.length > 0) throw new Error(`${fileName} imports ${foreign.join(', ')}, which the bundle does not contain`);
  }
}

function describe(image: ImageSource, folder: string, chunks: readonly OutputChunk[]): Bundle {
  const atStart = new Set<string>();
  const visit = (name: string) => {
    const chunk = chunks.find(({ fileName }) => fileName === name);
    if (!chunk || atStart.has(name)) return;
    atStart.add(name);
    chunk.imports.forEach(visit);
  };
  visit('main.js');
  const files = chunks
    .map((chunk) => ({
      name: chunk.fileName,
      bytes: Buffer.byteLength(chunk.code),
      atStart: atStart.has(chunk.fileName),
      packages: bytesByPackage(chunk),
    }))
    .sort((one, other) => other.bytes - one.bytes);
  const sum = (some: readonly BundledFile[]) => some.reduce((total, { bytes }) => total + bytes, 0);
  return {
    image: image.name,
    folder,
    files,
    bytesAtStart: sum(files.filter((file) => file.atStart)),
    bytes: sum(files),
    packages: [...new Set(files.flatMap((file) => Object.keys(file.packages)))].sort(),
  };
}

function bytesByPackage(chunk: OutputChunk): Record<string, number> {
  const sizes = new Map<string, number>();
  for (const [id, { renderedLength }] of Object.entries(chunk.modules)) {
    if (!isFile(id)) continue;
    const { name } = packageOf(id);
    sizes.set(name, (sizes.get(name) ?? 0) + renderedLength);
  }
  return Object.fromEntries([...sizes].sort(([, one], [, other]) => other - one));
}

/** Modules that plugins and rolldown itself make up are no files. */
function isFile(id: string): boolean {
  return !id.startsWith('\0') && !id.startsWith('rolldown:');
}
