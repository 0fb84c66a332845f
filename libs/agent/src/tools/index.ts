import type { Memory } from '../memory.js';
import type { AgentTool } from '../tool.js';
import type { GuardedFetch } from '../web/guarded-fetch.js';
import { currentTime } from './current-time.js';
import { fetchUrl } from './fetch-url.js';
import { recall } from './recall.js';
import { remember } from './remember.js';

/** Every tool of the built-in agent, in the order models see them. */
export function agentTools(needs: { readonly memory: Memory; readonly web: GuardedFetch }): AgentTool[] {
  return [currentTime, remember(needs.memory), recall(needs.memory), fetchUrl(needs.web)];
}
