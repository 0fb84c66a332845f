export { Ledger, type Finding, type ShownMessage, type Verdict } from './ledger.js';
export { Random } from './random.js';
export { eventually, patienceMs } from './patience.js';
export { signSlack, signStandardWebhook, signTelegram } from './signatures.js';
export { TelegramGroup, TelegramPerson, TelegramSimulator, type BotCall, type TelegramSimulatorOptions } from './telegram/simulator.js';
export type { TelegramBot, TelegramBotOptions } from './telegram/bot.js';
export type { PersonChat, Said, SayOptions } from './telegram/person.js';
export type { TelegramUpdate, VisibleMessage } from './telegram/types.js';
export { telegramUpdate, type TelegramUpdateOptions } from './telegram/updates.js';
export { ManualClock, type Clock } from './wire/clock.js';
export type { Fault, FaultKind, FaultRule, FaultSubject, Faults } from './wire/faults.js';
export type { Violation } from './wire/flood-gate.js';
export type { DeliveryObserver, SignedRequest } from './wire/post-webhook.js';
export { SlackPerson, SlackSimulator, type SlackCall, type SlackSimulatorOptions } from './slack/simulator.js';
export type { SlackApp, SlackAppOptions, SlackEventName } from './slack/app.js';
export type { SlackChannel } from './slack/channel.js';
export type { SaidInSlack, SlackScreen } from './slack/person.js';
export type { VisibleSlackMessage } from './slack/types.js';
export { ModelSimulator, type ModelSimulatorOptions } from './model/simulator.js';
export type { ModelMessage, ModelRequest, ToolCall } from './model/request.js';
export type { ModelMatch, ModelRule, ModelStep } from './model/script.js';
export {
  ReplyReceiver,
  StandardWebhooksSender,
  type ReceivedReply,
  type SentWebhook,
  type StandardWebhooksSenderOptions,
} from './standard-webhooks.js';
export { compileCache, RunningProcess, freePort, startProcess, type Exit, type ProcessOptions } from './launch.js';
export { findEmulators, type Emulators, type FoundEmulator, type MissingEmulator } from './emulators/find-emulators.js';
export type { RunningEmulator } from './emulators/emulator.js';
export {
  borrowFirestoreEmulator,
  borrowPubSubEmulator,
  serveSharedEmulators,
  sharedEmulatorsVariable,
  type SharedEmulators,
} from './emulators/shared-emulators.js';
export { startSecretManagerFake, type SecretManagerFake, type SecretManagerFakeOptions } from './google/secret-manager-fake.js';
export { startCloudTasksFake, type CloudTasksFake, type CloudTasksFakeOptions } from './google/cloud-tasks-fake.js';
export { startMetadataServer, type MetadataServer, type MetadataServerOptions } from './google/metadata-server.js';
export { startStorageFake, type StorageFake, type StorageFakeOptions } from './google/storage-fake.js';
export { imagesOf, imagesVariable } from './stack/images.js';
export {
  GoogleStack,
  stackApps,
  whyNoStack,
  type StackApp,
  type StackDelivery,
  type StackedApp,
  type StackOptions,
} from './stack/stack.js';
export { startPubSubFake, type PubSubFake, type PubSubFakeOptions } from './google/pub-sub-fake.js';
export type { PublishedMessage } from './google/pub-sub-fake-rules.js';
