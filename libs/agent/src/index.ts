export type { AgentProfile, AgentProfiles } from './agent-profile.js';
export { AgentJobs, type AgentJobLimits } from './jobs/agent-jobs.js';
export { BuiltinRuntime, type BuiltinRuntimeLimits } from './builtin-runtime.js';
export { agentIndexes, Memory, type MemoryNote } from './memory.js';
export { defineTool, type AgentTool, type ToolContext } from './tool.js';
export { agentTools } from './tools/index.js';
export { GuardedFetch, publicWeb, type FetchedPage, type FetchPolicy, type ResolvedAddress } from './web/guarded-fetch.js';
