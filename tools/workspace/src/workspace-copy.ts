import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { workspaceProjects, workspaceRoot } from './projects.js';

/** How a command ended, and what it said. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const rootFiles =
  /^(package(-lock)?\.json|nx\.json|tsconfig(\.[a-z]+)?\.json|jest\.[a-z]+\.mjs|eslint\.config\.mjs|\.gitignore|\.prettier(rc\.json|ignore))$/;
const made = new Set(['dist', 'out-tsc', 'node_modules']);

/**
 * A copy of this workspace in a temporary folder, for tests that change or break it: the root's settings, the package.json of every project, and all
 * sources of the projects that are named. Its packages see each other, not the originals; installed packages are shared by links.
 */
export class WorkspaceCopy {
  private constructor(readonly root: string) {}

  static async create(wholeProjects: readonly string[] = []): Promise<WorkspaceCopy> {
    const copy = new WorkspaceCopy(await mkdtemp(join(tmpdir(), 'rockpool-workspace-')));
    for (const file of await readdir(workspaceRoot)) {
      if (rootFiles.test(file)) await cp(join(workspaceRoot, file), join(copy.root, file));
    }
    await mkdir(join(copy.root, 'node_modules/@rockpool'), { recursive: true });
    for (const entry of await readdir(join(workspaceRoot, 'node_modules'))) {
      if (entry !== '@rockpool') await symlink(join(workspaceRoot, 'node_modules', entry), join(copy.root, 'node_modules', entry));
    }
    for (const { root, name } of workspaceProjects()) {
      if (wholeProjects.includes(root)) await copy.takeProject(root);
      else await copy.write(`${root}/package.json`, await readFile(join(workspaceRoot, root, 'package.json'), 'utf8'));
      await symlink(join(copy.root, root), join(copy.root, 'node_modules', name));
    }
    return copy;
  }

  async write(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(this.root, path)), { recursive: true });
    await writeFile(join(this.root, path), text);
  }

  read(path: string): Promise<string> {
    return readFile(join(this.root, path), 'utf8');
  }

  /** Runs the command of an installed package in the copy, with nothing of this process's environment. */
  run(command: string, ...args: readonly string[]): Promise<CommandResult> {
    const env = {
      HOME: this.root,
      PATH: [dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter),
      NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
    };
    const options = { cwd: this.root, env, maxBuffer: 64 * 1024 * 1024 };
    return new Promise((resolve, reject) => {
      execFile(process.execPath, [join(this.root, 'node_modules/.bin', command), ...args], options, (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === 'number') resolve({ code, stdout, stderr });
        else reject(error);
      });
    });
  }

  async remove(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }

  private async takeProject(root: string): Promise<void> {
    await cp(join(workspaceRoot, root), join(this.root, root), { recursive: true, filter: (source) => !made.has(basename(source)) });
    const own = join(workspaceRoot, root, 'node_modules');
    if (existsSync(own)) await symlink(own, join(this.root, root, 'node_modules'));
  }
}
