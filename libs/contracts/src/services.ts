/** The apps as callers of each other: the name a service-to-service token is minted for. */
export const services = { dispatcher: 'dispatcher', scheduler: 'scheduler', agentHost: 'agent-host', console: 'console' } as const;

/** Audience of the tokens that the pooled agent host accepts. A dedicated host has one of its own, so that a token for one opens no other. */
export const pooledHostAudience = 'agent-host';

/** Audience of the tokens that the scheduler accepts. */
export const schedulerAudience = 'scheduler';
