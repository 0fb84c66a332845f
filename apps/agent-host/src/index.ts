export type { AgentHostOptions } from './agent-host.module.js';
export { agentHostApp, agentHostModule } from './app.js';
