export { workspaceProjects, workspaceRoot, type WorkspaceProject } from './projects.js';
export { WorkspaceCopy, type CommandResult } from './workspace-copy.js';
