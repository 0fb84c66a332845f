import type { Jobs, Schedules } from '@rockpool/jobs';
import type { Memory } from '../memory.js';
import type { AgentTool } from '../tool.js';
import type { GuardedFetch } from '../web/guarded-fetch.js';
import { currentTime } from './current-time.js';
import { fetchUrl } from './fetch-url.js';
import { answerJob, cancelJob, listJobs } from './jobs.js';
import { recall } from './recall.js';
import { remember } from './remember.js';
import { cancelSchedule, listSchedules, schedule } from './schedules.js';

/** Every tool of the built-in agent, in the order models see them. */
export function agentTools({
  memory,
  web,
  schedules,
  jobs,
}: {
  readonly memory: Memory;
  readonly web: GuardedFetch;
  readonly schedules: Schedules;
  readonly jobs: Jobs;
}): AgentTool[] {
  return [
    currentTime,
    remember(memory),
    recall(memory),
    fetchUrl(web),
    schedule(schedules),
    listSchedules(schedules),
    cancelSchedule(schedules),
    listJobs(jobs),
    cancelJob(jobs),
    answerJob(jobs),
  ];
}
