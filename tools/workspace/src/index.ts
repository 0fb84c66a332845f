export { WorkspaceCopy, type CommandResult } from './workspace-copy.js';
