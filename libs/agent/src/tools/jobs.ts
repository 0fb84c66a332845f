import { codeOf } from '@rockpool/contracts';
import { JobCommands, systemClock, type Jobs } from '@rockpool/jobs';
import { z } from 'zod';
import { defineTool, type AgentTool } from '../tool.js';

const name = z.string().max(200).describe('As list_jobs shows it: “12”, “12/research” for a part of it');

/** Shows the work that goes on in the background of the conversation, or one piece of it with its steps. */
export function listJobs(jobs: Jobs): AgentTool {
  const commands = new JobCommands(jobs, systemClock);
  return defineTool({
    name: 'list_jobs',
    description: 'Shows the jobs of this conversation and how far they are; with a job, its steps, its parts and what it asks.',
    repeat: 'safe',
    input: z.object({ job: name.optional() }),
    run: ({ job }, { tenantId, conversationId }) =>
      commands.answer(tenantId, conversationId, job === undefined ? { name: 'jobs', words: '' } : { name: 'job', words: firstWord(job) }),
  });
}

/** Ends a job of the conversation. */
export function cancelJob(jobs: Jobs): AgentTool {
  return defineTool({
    name: 'cancel_job',
    description: 'Ends a job of this conversation. Use it only when the person asks for it.',
    repeat: 'safe',
    input: z.object({ job: name }),
    async run({ job }, { tenantId, conversationId }) {
      const { jobId } = await jobs.called(tenantId, job, conversationId);
      const { label, state } = await jobs.cancel(tenantId, jobId, 'cancelled in its conversation', { quiet: true });
      return `Job ${label} is ${state}.`;
    },
  });
}

/** Hands the person's answer to a job that asked for one. */
export function answerJob(jobs: Jobs): AgentTool {
  return defineTool({
    name: 'answer_job',
    description: 'Hands the person’s answer to a job of this conversation that asked something, in the person’s words.',
    repeat: 'safe',
    input: z.object({ job: name, answer: z.string().min(1).max(20_000) }),
    async run({ job, answer }, { tenantId, conversationId }) {
      const { jobId, label } = await jobs.called(tenantId, job, conversationId);
      try {
        await jobs.tell(tenantId, jobId, answer);
      } catch (error) {
        if (codeOf(error) !== 'conflict') throw error;
        return `Job ${label} waits for no answer: ${(error as Error).message}.`;
      }
      return `Job ${label} goes on with that.`;
    },
  });
}

/** What follows a job's name in the command of people would be an answer to it. */
function firstWord(job: string): string {
  return (
    job
      .trim()
      .replace(/^job\s+/i, '')
      .split(/\s+/)[0] ?? ''
  );
}
