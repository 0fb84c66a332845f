import { z } from 'zod';
import type { Topic } from './topics.js';

/** What defines an event: its CloudEvents type, its topic, the schema of its data, and how its messages are ordered. Everything else is derived. */
export interface EventDefinition<Schema extends z.ZodType = z.ZodType> {
  /** `dev.rockpool.<stream>.<fact>.v<n>` */
  readonly type: string;
  readonly topic: Topic;
  /** Unknown keys are stripped, never refused: yesterday's consumer reads tomorrow's message. */
  readonly data: Schema;
  /** Messages with the same key are handled one after another in publish order; `undefined` means unordered. */
  readonly orderingKey?: (data: z.output<Schema>) => string;
}

/** The data of an event definition, as a consumer sees it. */
export type EventData<Definition extends EventDefinition> = z.output<Definition['data']>;

const typePattern = /^dev\.rockpool\.[a-z-]+\.[a-z-]+\.v[1-9][0-9]*$/;

/** Defines an event once. Throws when the type does not follow `dev.rockpool.<stream>.<fact>.v<n>`. */
export function defineEvent<Schema extends z.ZodType>(definition: EventDefinition<Schema>): EventDefinition<Schema> {
  if (!typePattern.test(definition.type)) throw new Error(`event type ${definition.type} does not match ${typePattern.source}`);
  return Object.freeze(definition);
}
