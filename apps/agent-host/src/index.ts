export { AgentHostModule, type AgentHostOptions } from './agent-host.module.js';
