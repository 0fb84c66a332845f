import { z } from 'zod';
import type { Memory } from '../memory.js';
import { defineTool, type AgentTool } from '../tool.js';

/** Finds notes of the tenant. */
export function recall(memory: Memory): AgentTool {
  return defineTool({
    name: 'recall',
    description: 'Finds notes kept earlier, by words. Leave the query empty for the newest notes.',
    repeat: 'safe',
    input: z.object({ query: z.string().max(500).default('').describe('Words that the note may contain') }),
    async run({ query }, { tenantId }) {
      const notes = await memory.recall(tenantId, query);
      if (!notes.length) return query ? `Nothing is remembered about “${query}”.` : 'Nothing is remembered yet.';
      return notes.map(({ text, at }) => `- ${text} (${at.slice(0, 10)})`).join('\n');
    },
  });
}
