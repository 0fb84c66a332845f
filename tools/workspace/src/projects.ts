import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const workspaceRoot = fileURLToPath(new URL('../../..', import.meta.url));

/** A project as its package.json describes it. */
export interface WorkspaceProject {
  /** Folder below the workspace's root: `libs/cloud`. */
  readonly root: string;
  readonly name: string;
  readonly tags: readonly string[];
}

/** Every project of the workspace: each folder of apps, libs and tools that has a package.json. */
export function workspaceProjects(): WorkspaceProject[] {
  return ['apps', 'libs', 'tools'].flatMap((group) =>
    readdirSync(join(workspaceRoot, group))
      .map((folder) => `${group}/${folder}`)
      .filter((root) => existsSync(join(workspaceRoot, root, 'package.json')))
      .map((root) => {
        const manifest = JSON.parse(readFileSync(join(workspaceRoot, root, 'package.json'), 'utf8')) as {
          name: string;
          nx?: { tags?: string[] };
        };
        return { root, name: manifest.name, tags: manifest.nx?.tags ?? [] };
      }),
  );
}
