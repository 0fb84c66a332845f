export * from './agent-runtime.js';
export * from './commands.js';
export * from './conversation-leases.js';
export * from './inbox.js';
export * from './receiver.js';
export * from './records.js';
export * from './reply-channel.js';
export { TurnRunner, type DriveResult, type TurnRunnerOptions } from './turn-runner.js';
export { Transcript } from './transcript.js';
