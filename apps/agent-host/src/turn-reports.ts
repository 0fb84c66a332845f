import type { JobId } from '@rockpool/contracts';
import { workIdOf, type TurnRecord } from '@rockpool/conversations';
import type { JobPlatform } from '@rockpool/jobs';
import type { Logger } from '@rockpool/service';
import { turnEnded, turnFacts } from './turn-line.js';

/** What is made of what turns report: lines in the log, and the status of a job whose turn's answer is out. */
export class TurnReports {
  constructor(
    private readonly jobs: Pick<JobPlatform, 'jobs' | 'outcomes'>,
    private readonly log: Logger,
  ) {}

  warn(message: string, error: unknown, { tenantId, eventId }: TurnRecord): void {
    this.log.warn({ error, tenantId, eventId }, message);
  }

  ended(turn: TurnRecord): void {
    this.log.info(turnFacts(turn), turnEnded);
    if (turn.promoted)
      void this.showStatus(turn).catch((error: unknown) => this.warn('the status of a job could not be shown', error, turn));
  }

  /** The job has been running since before the answer that speaks of it was out; it may be over. */
  private async showStatus(turn: TurnRecord): Promise<void> {
    const job = await this.jobs.jobs.find(turn.tenantId, workIdOf(turn) as JobId);
    if (job && (job.progress || !job.open)) await this.jobs.outcomes.changed(job);
  }
}
