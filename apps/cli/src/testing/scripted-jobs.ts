import { inboundMessage, OutcomeUnknown, TerminalError, type ConversationId, type JobId, type TenantId } from '@rockpool/contracts';
import { JobKind, JobKinds, type Decision, type JobRecord, type JobStart, type JobView, type StepAction } from '@rockpool/jobs';
import type { Platform } from '../compose.js';

const minute = 60_000;

class Scripted extends JobKind {
  constructor(
    readonly name: string,
    readonly next: (view: JobView) => Decision,
    private readonly actions: Readonly<Record<string, StepAction['run']>> = {},
  ) {
    super();
  }
  override action(name: string): StepAction | undefined {
    const run = this.actions[name];
    return run && { repeat: 'ask', maxAttempts: 1, run };
  }
}

const kinds = new JobKinds([
  /** Looks, asks, and succeeds with what it was told. */
  new Scripted(
    'asks',
    ({ steps }) =>
      steps.length === 0
        ? { do: 'act', action: 'look', input: null }
        : steps.length === 1
          ? { do: 'ask', question: 'Which class?' }
          : { do: 'succeed', result: steps[1]!.output ?? null },
    {
      look: async (_, context) => {
        context.spend({ tokens: 1_200, costUsd: 0.02 });
        return 'three trains';
      },
    },
  ),
  /** Fails where a step has failed. */
  new Scripted(
    'gives-up',
    ({ steps }) => (steps.at(-1)?.state === 'failed' ? { do: 'fail', reason: 'no way on' } : { do: 'act', action: 'break', input: null }),
    {
      break: async () => {
        throw new TerminalError('the page is gone');
      },
    },
  ),
  /** Does what nobody can tell whether it was done. */
  new Scripted(
    'doubts',
    ({ steps }) => (steps.length === 0 ? { do: 'act', action: 'send', input: null } : { do: 'succeed', result: steps[0]!.state }),
    {
      send: async () => {
        throw new OutcomeUnknown('the line broke');
      },
    },
  ),
  /** Has two builders ask, the second once the first is done. */
  new Scripted('manages', ({ steps }) =>
    steps.length === 0
      ? {
          do: 'delegate',
          builders: [
            { key: 'research', kind: 'asks', title: 'Research trains', input: null },
            { key: 'write', kind: 'asks', title: 'Write it down', input: null, after: ['research'] },
          ],
        }
      : { do: 'succeed', result: null },
  ),
]);

/** The conversation that {@link ScriptedJobs.openChat} opens. */
export const chat = 'web:alice:1' as ConversationId;

/** Jobs of scripted kinds on a platform whose agent host does not run: what happens to them, a test makes happen. */
export class ScriptedJobs {
  readonly #runner;

  constructor(private readonly platform: Platform) {
    this.#runner = platform.jobsOf({ kinds }).runner;
  }

  /** Makes {@link chat} one that jobs can ask in. */
  async openChat(tenantId: TenantId): Promise<void> {
    const at = new Date().toISOString();
    const message = {
      ...{ eventId: 'web:alice:1:1', tenantId, conversationId: chat, kind: 'message', providerType: 'text', chatKind: 'direct' },
      ...{
        target: { channel: 'web', account: tenantId, chatId: '1' },
        sender: { id: '1' },
        text: 'hello',
        addressed: true,
        sentAt: at,
        receivedAt: at,
      },
    };
    await this.platform.inbox.append(tenantId, inboundMessage.parse(message));
  }

  start(tenantId: TenantId, id: string, kind: string, more: Partial<JobStart> = {}): Promise<JobRecord> {
    return this.platform.jobs.start(tenantId, { jobId: id as JobId, kind, title: `job ${id}`, input: null, ...more });
  }

  /** Does what the task would do that the job waits for. */
  async run(tenantId: TenantId, id: string): Promise<JobRecord> {
    const jobId = id as JobId;
    const { slice } = await this.platform.jobs.get(tenantId, jobId);
    await this.#runner.slice({ tenantId, jobId, slice }, { signal: new AbortController().signal, deadline: Date.now() + 30 * minute });
    return this.platform.jobs.get(tenantId, jobId);
  }
}
