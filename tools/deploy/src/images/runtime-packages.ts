import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';

interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** A package as it is installed. */
export interface InstalledPackage {
  readonly name: string;
  readonly folder: string;
}

/**
 * The folders of everything that the package in `folder` needs at run time: its dependencies, theirs, and so on, never anybody's `devDependencies`. What is optional
 * and not installed is left out.
 */
export function runtimePackages(folder: string): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (place: string) => {
    if (found.has(place)) return;
    found.add(place);
    const { dependencies, optionalDependencies, peerDependencies } = manifestIn(place);
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const installed = installedFrom(place, name);
      if (installed !== undefined) visit(installed);
    }
  };
  visit(realpathSync(folder));
  return found;
}

/** The package that a file belongs to. */
export function packageOf(file: string): InstalledPackage {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    // Folders inside a package may have a package.json that says "module" or "commonjs" and nothing else.
    if (!existsSync(join(folder, 'package.json'))) continue;
    const { name, version } = manifestIn(folder);
    if (name !== undefined && (version !== undefined || !folder.includes(`${sep}node_modules${sep}`))) return { name, folder };
  }
  throw new Error(`${file} belongs to no package`);
}

function manifestIn(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** Where Node finds the package `name` from inside `folder`. */
function installedFrom(folder: string, name: string): string | undefined {
  for (let place = folder; ; place = dirname(place)) {
    const candidate = join(place, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return realpathSync(candidate);
    if (place === dirname(place)) return undefined;
  }
}
