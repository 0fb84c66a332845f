import type { IndexDeclaration, Json } from '@rockpool/cloud';
import type { ConversationId, JobId, JobPriority, TenantId } from '@rockpool/contracts';

/**
 * The documents of jobs, tenant first. Times are epoch milliseconds.
 *
 * tenants/{t}/jobs/{j}              the job: its state, its lease, what it waits for
 * tenants/{t}/jobs/{j}/steps/{n}    what it did, and does
 * tenants/{t}/jobs/{j}/signals/{k}  what must reach a running step at once
 * tenants/{t}/job-numbers/{n}       which job a person means by "job 12"
 * tenants/{t}/job-places/{n}        jobs of the tenant that run now
 * job-places/{n}                    those of them that run in the places all tenants share
 */

/** `queued`: a task will run it, or it waits for a place or for other builders. `running`: somebody holds its lease. `waiting`: for a time, a person or its builders. */
export type JobState = 'queued' | 'running' | 'waiting' | 'succeeded' | 'failed' | 'cancelled';

/** What a job may use up. An absent member is no limit. */
export interface JobBudget {
  /** Input and output of models together; of its builders too. */
  readonly tokens?: number;
  /** US dollars; of its builders too. */
  readonly costUsd?: number;
  readonly steps?: number;
}

/** What a job has used up. */
export interface JobSpent {
  readonly tokens: number;
  readonly costUsd: number;
  readonly steps: number;
}

/** What a job in `waiting` waits for. `until` is when it goes on in any case. */
export type Waiting =
  | { readonly for: 'time'; readonly until: number }
  /** The next try of its current step, or another try to continue after a fault of the platform. */
  | { readonly for: 'retry'; readonly until: number }
  | { readonly for: 'message'; readonly until?: number; readonly question?: string }
  | { readonly for: 'builders' }
  /** A person says what becomes of a step that may or may not have been done. */
  | { readonly for: 'decision'; readonly question: string };

/** Who may run and write for a job. `token` grows with every claim: a write with an older one is refused. */
export interface JobLease {
  readonly holder: string;
  readonly token: number;
  readonly expiresAt: number;
}

/** A place among those that run: one of the tenant's, and beyond its minimum also one of those that all share. */
export interface Place {
  readonly own: number;
  readonly shared?: number;
}

/** A builder's place in its manager's work. */
export interface ParentLink {
  readonly jobId: JobId;
  /** The manager's step that delegated. */
  readonly step: number;
  readonly key: string;
  /** 1 for the first try of this key. */
  readonly attempt: number;
}

export interface JobProgress {
  readonly text: string;
  /** 0 to 1. */
  readonly fraction?: number;
  readonly at: number;
}

export interface JobRecord {
  readonly tenantId: TenantId;
  readonly jobId: JobId;
  /** What people call it: `12`; a builder of it `12/key`. */
  readonly label: string;
  readonly kind: string;
  readonly title: string;
  /** What its status message begins with, in Markdown: what was said before it became a job. */
  readonly preface?: string;
  readonly input: Json;
  readonly priority: JobPriority;
  readonly state: JobState;
  /** True in `queued`, `running`, `waiting`. Kept as a field because queries know equality only. */
  readonly open: boolean;
  /** Where its result goes. */
  readonly conversationId?: ConversationId;
  readonly parent?: ParentLink;
  /** Builders that must have succeeded before this one begins. */
  readonly after?: readonly string[];
  /** True until they have. */
  readonly blocked?: boolean;
  /** Results of those, by key, once it may begin. */
  readonly dependencies?: Readonly<Record<string, Json>>;
  /** The slice whose task may run it. Tasks of other slices are duplicates, or late. */
  readonly slice: number;
  /** When something will have happened to it, unless something was lost: its task comes, its lease ends. The sweep looks at this. */
  readonly dueAt: number;
  /** There while it waits for a place among those that run: orders the line. */
  readonly line?: string;
  /** Where in the line it stood, while it is on its way to a place that became free. */
  readonly stood?: string;
  readonly place?: Place;
  readonly fence: number;
  readonly lease?: JobLease;
  /** Steps begun. */
  readonly steps: number;
  readonly waiting?: Waiting;
  /** It fails when it is still open then. */
  readonly deadlineAt: number;
  /** How long it was given, for a retry. */
  readonly allowedMs: number;
  readonly budget: JobBudget;
  readonly spent: JobSpent;
  /** Faults of the platform, or of the job's own rules, since its last step. */
  readonly stumbles: number;
  /** How often a person had it tried again after it had ended. */
  readonly retries: number;
  readonly progress?: JobProgress;
  /** When people were last shown how far it is. */
  readonly shownAt?: number;
  readonly result?: Json;
  /** Why it failed or was cancelled. */
  readonly reason?: string;
  /** It was cancelled by somebody who knows, so that nobody is told. */
  readonly quiet?: true;
  /** True from its end until its result is where it belongs, and from a question until it was asked. */
  readonly unsettled: boolean;
  /** W3C trace context of what started it. */
  readonly traceparent?: string;
  readonly createdAt: number;
  readonly startedAt?: number;
  readonly finishedAt?: number;
  readonly updatedAt: number;
}

/**
 * `running`: begun, its outcome is not on record. `retrying`: a try failed, another follows. `unknown`: it may or may not have been done. `waiting`: for what
 * the step itself is: a time, a message, builders. The others are final.
 */
export type StepState = 'running' | 'retrying' | 'unknown' | 'waiting' | 'succeeded' | 'failed' | 'cancelled';

export interface StepRecord {
  readonly n: number;
  readonly kind: 'act' | 'wait' | 'message' | 'delegate';
  /** The action's name; for the others their kind. */
  readonly name: string;
  readonly input: Json;
  readonly state: StepState;
  /** Tries begun. */
  readonly attempts: number;
  /** The same for every try: a pure function of job and step. */
  readonly idempotencyKey: string;
  readonly output?: Json;
  readonly error?: { readonly code: string; readonly message: string };
  readonly spent?: Omit<JobSpent, 'steps'>;
  readonly startedAt: number;
  readonly finishedAt?: number;
}

/** A number of a tenant, and the job that has it. */
export interface JobNumberRecord {
  readonly n: number;
  readonly jobId: JobId;
}

export const jobPaths = {
  jobs: (tenantId: TenantId) => `tenants/${tenantId}/jobs`,
  job: (tenantId: TenantId, jobId: JobId) => `tenants/${tenantId}/jobs/${jobId}`,
  steps: (tenantId: TenantId, jobId: JobId) => `tenants/${tenantId}/jobs/${jobId}/steps`,
  step: (tenantId: TenantId, jobId: JobId, n: number) => `tenants/${tenantId}/jobs/${jobId}/steps/${String(n).padStart(6, '0')}`,
  signals: (tenantId: TenantId, jobId: JobId) => `tenants/${tenantId}/jobs/${jobId}/signals`,
  signal: (tenantId: TenantId, jobId: JobId) => `tenants/${tenantId}/jobs/${jobId}/signals/cancel`,
  numbers: (tenantId: TenantId) => `tenants/${tenantId}/job-numbers`,
  number: (tenantId: TenantId, n: number) => `tenants/${tenantId}/job-numbers/${n}`,
  places: (tenantId: TenantId) => `tenants/${tenantId}/job-places`,
  place: (tenantId: TenantId, n: number) => `tenants/${tenantId}/job-places/${n}`,
  sharedPlaces: 'job-places',
  sharedPlace: (n: number) => `job-places/${n}`,
} as const;

/** The key that an effect of this step carries, whoever runs it and however often. */
export function idempotencyKeyOf(tenantId: TenantId, jobId: JobId, step: number): string {
  return `${tenantId}/${jobId}#${step}`;
}

/** Nothing more will happen to the step. */
export function isEnded(step: StepRecord): boolean {
  return step.state === 'succeeded' || step.state === 'failed' || step.state === 'cancelled';
}

/** The indexes that the queries of jobs need. */
export const jobIndexes: readonly IndexDeclaration[] = [
  { collection: 'jobs', scope: 'group', fields: ['open', 'dueAt'] },
  { collection: 'jobs', scope: 'group', fields: ['unsettled', 'updatedAt'] },
  { collection: 'jobs', scope: 'group', fields: ['line'] },
  { collection: 'jobs', scope: 'group', fields: ['finishedAt'] },
  { collection: 'jobs', scope: 'collection', fields: ['parent.jobId', 'parent.step'] },
  { collection: 'jobs', scope: 'collection', fields: ['parent.jobId', 'open'] },
  ...(['collection', 'group'] as const).flatMap((scope) => [
    { collection: 'jobs', scope, fields: ['createdAt'] },
    { collection: 'jobs', scope, fields: ['open', 'createdAt'] },
    { collection: 'jobs', scope, fields: ['state', 'createdAt'] },
    { collection: 'jobs', scope, fields: ['conversationId', 'createdAt'] },
    { collection: 'jobs', scope, fields: ['conversationId', 'open', 'createdAt'] },
    { collection: 'jobs', scope, fields: ['conversationId', 'state', 'createdAt'] },
  ]),
];
