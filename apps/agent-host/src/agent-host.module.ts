import { Module, type DynamicModule, type OnApplicationBootstrap } from '@nestjs/common';
import { AgentJobs, agentTools, BuiltinRuntime, GuardedFetch, Memory, type AgentTool } from '@rockpool/agent';
import { Documents } from '@rockpool/cloud';
import {
  AgentRuntime,
  ConversationLeases,
  FairPlaces,
  ReplyChannels,
  Transcript,
  TurnRunner,
  type LeaseOptions,
} from '@rockpool/conversations';
import { JobKinds, JobRunner, Jobs, Schedules, type JobPlatform } from '@rockpool/jobs';
import { Models, type ModelsConfig } from '@rockpool/models';
import { HostHeartbeat, type HostHeartbeatOptions } from '@rockpool/platform';
import { AUDIENCE, LOGGER, provide, Shutdown, type Logger } from '@rockpool/service';
import { Credentials, Tenants } from '@rockpool/tenancy';
import { DriveController } from './drive.controller.js';
import { HostDrain } from './host-drain.js';
import { SliceController } from './slice.controller.js';
import { TenantProfiles } from './tenant-profiles.js';
import { TurnReports } from './turn-reports.js';

/** Runs of one turn before it is quarantined. */
const maxAttempts = 5;
/** Turns that are nearly done may finish when the host is told to stop; the rest of its time is for giving back the others. */
const shutdownGraceMs = 2_000;

/** Conversations at once in one host, however many dispatchers push to it. */
const places = { total: 400, perTenant: 40, waitingPerTenant: 100 };

/** The tools of the built-in agent. */
const TOOLS = Symbol('rockpool.agent-tools');
/** Jobs, with the kinds that run here. */
const JOBS = Symbol('rockpool.jobs');

export interface AgentHostOptions {
  /** Audience of the tokens it accepts. */
  readonly audience: string;
  readonly models: ModelsConfig;
  readonly leases: LeaseOptions;
  readonly turnTimeoutMs: number;
  readonly promoteAfterMs: number;
  readonly heartbeat: Omit<HostHeartbeatOptions, 'onWarning'>;
  readonly jobs: (process: { readonly kinds: JobKinds; readonly log: Logger }) => JobPlatform;
}

/** The pooled agent host. Needs, from outside: the cloud's ports, `Tenants`, `Credentials`, `Schedules`, `Jobs`, `ReplyChannels`, `Shutdown` and `LOGGER`. */
@Module({})
export class AgentHostModule implements OnApplicationBootstrap {
  constructor(
    private readonly runtime: BuiltinRuntime,
    private readonly heartbeat: HostHeartbeat,
    shutdown: Shutdown,
    drain: HostDrain,
  ) {
    // The latest action runs first: what is drained is said to be done.
    shutdown.onShutdown('take back the sign of life', () => heartbeat.stop());
    const drained = Promise.withResolvers<void>();
    shutdown.signal.addEventListener('abort', () => drained.resolve(drain.drain(shutdownGraceMs)), { once: true });
    shutdown.onShutdown('drain the agent host', () => drained.promise);
  }

  static register(options: AgentHostOptions): DynamicModule {
    return {
      module: AgentHostModule,
      controllers: [DriveController, SliceController],
      providers: [
        provide(TenantProfiles, Tenants, Credentials),
        provide(Transcript, Documents),
        provide(HostDrain, HostHeartbeat),
        {
          provide: HostHeartbeat,
          useFactory: (documents: Documents, log: Logger) =>
            new HostHeartbeat(documents, { ...options.heartbeat, onWarning: (message, error) => log.warn({ error }, message) }),
          inject: [Documents, LOGGER],
        },
        { provide: AUDIENCE, useValue: options.audience },
        { provide: FairPlaces, useValue: new FairPlaces(places) },
        {
          provide: ConversationLeases,
          useFactory: (documents: Documents) => new ConversationLeases(documents, options.leases),
          inject: [Documents],
        },
        { provide: Models, useValue: new Models(options.models) },
        {
          provide: TOOLS,
          useFactory: (documents: Documents, schedules: Schedules, jobs: Jobs) =>
            agentTools({ memory: new Memory(documents), web: new GuardedFetch(), schedules, jobs }),
          inject: [Documents, Schedules, Jobs],
        },
        {
          provide: BuiltinRuntime,
          useFactory: (profiles: TenantProfiles, models: Models, tools: readonly AgentTool[], jobs: Jobs) =>
            new BuiltinRuntime(profiles, models, tools, { jobs, promoteAfterMs: options.promoteAfterMs }),
          inject: [TenantProfiles, Models, TOOLS, Jobs],
        },
        {
          provide: JOBS,
          useFactory: (profiles: TenantProfiles, models: Models, tools: readonly AgentTool[], log: Logger) =>
            options.jobs({ kinds: new JobKinds([new AgentJobs(profiles, models, tools)]), log }),
          inject: [TenantProfiles, Models, TOOLS, LOGGER],
        },
        { provide: JobRunner, useFactory: ({ runner }: JobPlatform) => runner, inject: [JOBS] },
        { provide: TurnReports, useFactory: (jobs: JobPlatform, log: Logger) => new TurnReports(jobs, log), inject: [JOBS, LOGGER] },
        { provide: AgentRuntime, useExisting: BuiltinRuntime },
        {
          provide: TurnRunner,
          useFactory: (
            documents: Documents,
            leases: ConversationLeases,
            transcript: Transcript,
            channels: ReplyChannels,
            runtime: AgentRuntime,
            reports: TurnReports,
          ) =>
            new TurnRunner(documents, leases, transcript, channels, runtime, {
              turnTimeoutMs: options.turnTimeoutMs,
              maxAttempts,
              onWarning: (message, error, turn) => reports.warn(message, error, turn),
              onEnded: (turn) => reports.ended(turn),
            }),
          inject: [Documents, ConversationLeases, Transcript, ReplyChannels, AgentRuntime, TurnReports],
        },
      ],
    };
  }

  onApplicationBootstrap(): void {
    void this.runtime.warm();
    void this.heartbeat.start();
  }
}
