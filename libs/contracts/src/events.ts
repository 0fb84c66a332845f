import { DriveConversation, MessageReceived } from './inbound.js';

/** Every event of the platform: the catalogue, snapshots and documentation are made from this list. */
export const events = [MessageReceived, DriveConversation] as const;
