import type { QueueName } from './queues.js';
import { subscriptions, type Topic } from './topics.js';

/** The apps that are deployed, each on its own. */
export const appNames = ['ingress', 'dispatcher', 'agent-host', 'scheduler', 'console'] as const;
export type AppName = (typeof appNames)[number];

/** How many copies of an app run, and what each is given. */
export interface AppScaling {
  readonly cpu: 1 | 2 | 4;
  readonly memoryMib: number;
  /** Requests that one copy handles at once. */
  readonly concurrency: number;
  /** 0: nothing runs while nobody talks. */
  readonly minInstances: number;
  readonly maxInstances: number;
  /** Longest time a request may take; Cloud Run allows 3,600 s. */
  readonly timeoutSeconds: number;
  /** `request`: no processor, and no cost for it, between requests. `always`: work goes on after the answer. */
  readonly cpuAllocation: 'request' | 'always';
}

/** A POST that is made to an app at its times, with the app's own identity. */
export interface AppTrigger {
  readonly name: string;
  readonly path: string;
  /** Five fields of cron, in UTC. */
  readonly cron: string;
  readonly deadlineSeconds: number;
}

/**
 * What one app is and may do, and nothing beyond it: its service account is given exactly these rights, its service exactly these variables.
 */
export interface AppSpec {
  /** Anyone may send it requests; it decides itself whom to believe. Everybody else's requests end before a private app. */
  readonly public: boolean;
  readonly publishes: readonly Topic[];
  /** Names of subscriptions. */
  readonly consumes: readonly string[];
  /** Lists, replays and removes dead letters of every subscription, and sees how far each is behind. */
  readonly operatesBus: boolean;
  /** Sees how far each subscription is behind and how many dead letters it has, and touches none. */
  readonly watchesBus: boolean;
  /** Apps that it sends requests to, itself or through a task. */
  readonly calls: readonly AppName[];
  readonly createsTasksIn: readonly QueueName[];
  readonly triggers: readonly AppTrigger[];
  readonly documents: boolean;
  readonly blobs: boolean;
  /** Secrets of tenants: `read`; `add`: and make one that is missing; `manage`: and list, disable and remove them. */
  readonly tenantSecrets: 'none' | 'read' | 'add' | 'manage';
  /** Names of environment variables that are set on its service, those that have a value there. */
  readonly variables: readonly string[];
  /** Environment variables whose value is a secret of the platform. */
  readonly secretVariables: readonly string[];
  readonly scaling: AppScaling;
}

const engineVariables = [
  'GOOGLE_CLOUD_PROJECT',
  'ROCKPOOL_BUCKET',
  'ROCKPOOL_BUS_DELIVERY',
  'ROCKPOOL_ENGINE',
  'ROCKPOOL_FIRESTORE_DATABASE',
  'ROCKPOOL_LOG_LEVEL',
  'ROCKPOOL_REGION',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
] as const;

/** Whoever starts, resumes or cancels a job, or a schedule, makes the task that follows from it. */
const tasksOfJobs = ['job-slices-high', 'job-slices-normal', 'job-slices-low', 'schedules'] as const;

const modelKeys = ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'GEMINI_API_KEY'] as const;

/** All apps. Terraform, the deployment and the rights of service accounts are made from this. */
export const apps = {
  ingress: {
    public: true,
    publishes: ['inbound-messages'],
    consumes: [],
    operatesBus: false,
    watchesBus: false,
    calls: [],
    createsTasksIn: [],
    triggers: [],
    documents: true,
    blobs: false,
    // The key that signs sessions of the web chat is made when it is first needed.
    tenantSecrets: 'add',
    variables: [...engineVariables, 'ROCKPOOL_PUBLIC_URL'],
    secretVariables: [],
    // An event stream of the web chat lasts as long as a request may; the browser comes back.
    scaling: { cpu: 1, memoryMib: 512, concurrency: 250, minInstances: 0, maxInstances: 20, timeoutSeconds: 900, cpuAllocation: 'request' },
  },
  dispatcher: {
    public: false,
    publishes: ['conversation-wakes'],
    consumes: [subscriptions.receive.name, subscriptions.drive.name],
    operatesBus: false,
    watchesBus: false,
    // A job that is cancelled or a schedule that is resumed in a chat: a task calls the app in the name of whoever made it.
    calls: ['agent-host', 'scheduler'],
    createsTasksIn: tasksOfJobs,
    triggers: [],
    documents: true,
    blobs: false,
    tenantSecrets: 'read',
    variables: [...engineVariables, 'ROCKPOOL_AGENT_HOST_URL', 'ROCKPOOL_DISPATCHER_URL', 'ROCKPOOL_SCHEDULER_URL'],
    secretVariables: [],
    // A push waits for its conversation: 600 s is the longest that Pub/Sub waits.
    scaling: { cpu: 1, memoryMib: 512, concurrency: 500, minInstances: 0, maxInstances: 20, timeoutSeconds: 600, cpuAllocation: 'request' },
  },
  'agent-host': {
    public: false,
    // What a job has to say wakes its conversation.
    publishes: ['conversation-wakes'],
    consumes: [],
    operatesBus: false,
    watchesBus: false,
    calls: ['agent-host', 'scheduler'],
    createsTasksIn: tasksOfJobs,
    triggers: [],
    documents: true,
    blobs: true,
    tenantSecrets: 'read',
    variables: [
      ...engineVariables,
      'ROCKPOOL_AGENT_HOST_URL',
      'ROCKPOOL_PROMOTE_AFTER_MS',
      'ROCKPOOL_SCHEDULER_URL',
      'ROCKPOOL_TURN_TIMEOUT_MS',
    ],
    secretVariables: [...modelKeys],
    scaling: {
      cpu: 1,
      memoryMib: 1024,
      concurrency: 80,
      minInstances: 0,
      maxInstances: 20,
      timeoutSeconds: 3_600,
      cpuAllocation: 'request',
    },
  },
  scheduler: {
    public: false,
    publishes: ['conversation-wakes'],
    consumes: [],
    operatesBus: false,
    // The watchdog tells of dead letters.
    watchesBus: true,
    calls: ['agent-host', 'scheduler'],
    createsTasksIn: tasksOfJobs,
    triggers: [{ name: 'sweep', path: '/internal/sweep', cron: '* * * * *', deadlineSeconds: 120 }],
    documents: true,
    // A task's payload that is too large for the queue goes there.
    blobs: true,
    // What is left unsaid at a channel is said by upkeep, which tells operators, too.
    tenantSecrets: 'read',
    variables: [...engineVariables, 'ROCKPOOL_AGENT_HOST_URL', 'ROCKPOOL_SCHEDULER_URL'],
    secretVariables: [],
    scaling: { cpu: 1, memoryMib: 512, concurrency: 50, minInstances: 0, maxInstances: 4, timeoutSeconds: 300, cpuAllocation: 'request' },
  },
  console: {
    public: true,
    publishes: ['conversation-wakes', 'inbound-messages'],
    consumes: [],
    operatesBus: true,
    watchesBus: true,
    calls: ['agent-host', 'scheduler'],
    createsTasksIn: tasksOfJobs,
    triggers: [],
    documents: true,
    blobs: true,
    tenantSecrets: 'manage',
    variables: [...engineVariables, 'ROCKPOOL_AGENT_HOST_URL', 'ROCKPOOL_PUBLIC_URL', 'ROCKPOOL_SCHEDULER_URL'],
    secretVariables: [...modelKeys, 'ROCKPOOL_ADMIN_TOKEN'],
    // Operations in bulk go on in the scheduler once the console sleeps.
    scaling: { cpu: 1, memoryMib: 512, concurrency: 80, minInstances: 0, maxInstances: 2, timeoutSeconds: 300, cpuAllocation: 'request' },
  },
} as const satisfies Record<AppName, AppSpec>;
