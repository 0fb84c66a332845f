import { describe, expect, it } from '@jest/globals';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { defineEvent, type EventDefinition } from './event.js';
import { events } from './events.js';
import { subscriptions, topics } from './topics.js';

/**
 * The wire format of every event, kept under `schemas/`. A change of it reaches messages that are already on the bus and apps that still run yesterday's
 * code, so it has to be seen in a review: run with UPDATE_SCHEMAS=1 to accept it. Only additions of optional members are compatible; anything else is a new version of the type.
 */
const folder = new URL('../schemas/', import.meta.url);

/** What a consumer accepts: members with a default are optional, unknown ones allowed. */
function snapshotOf(definition: EventDefinition): object {
  const { $schema, ...schema } = z.toJSONSchema(definition.data, { io: 'input' });
  const document = {
    $schema,
    $id: definition.type,
    'x-topic': definition.topic,
    'x-ordered': definition.orderingKey !== undefined,
    ...schema,
  };
  return JSON.parse(JSON.stringify(document)) as object;
}

describe('the schema of an event', () => {
  it.each(events.map((definition) => [definition.type, definition as EventDefinition] as const))(
    '%s is the one that was announced (UPDATE_SCHEMAS=1 announces a change)',
    async (type, definition) => {
      const file = new URL(`${type}.json`, folder);
      if (process.env['UPDATE_SCHEMAS']) {
        await mkdir(folder, { recursive: true });
        await writeFile(file, `${JSON.stringify(snapshotOf(definition), null, 2)}\n`);
      }
      expect(snapshotOf(definition)).toEqual(JSON.parse(await readFile(file, 'utf8')));
    },
  );

  it('is kept for no event that is gone', async () => {
    expect((await readdir(folder)).sort()).toEqual(events.map(({ type }) => `${type}.json`).sort());
  });

  it('changes its snapshot when a member is renamed, made required or given another type', () => {
    const painted = (data: z.ZodObject) =>
      snapshotOf(defineEvent({ type: 'dev.rockpool.reefs.painted.v1', topic: 'inbound-messages', data }));
    const announced = painted(z.object({ reef: z.string(), coats: z.number().optional() }));
    expect(painted(z.object({ rock: z.string(), coats: z.number().optional() }))).not.toEqual(announced);
    expect(painted(z.object({ reef: z.string(), coats: z.number() }))).not.toEqual(announced);
    expect(painted(z.object({ reef: z.string(), coats: z.string().optional() }))).not.toEqual(announced);
  });
});

describe('the catalogue', () => {
  it('lists every event once', () => {
    expect(new Set(events.map(({ type }) => type)).size).toBe(events.length);
  });

  it('orders the messages of ordered topics, and only those', () => {
    for (const definition of events as readonly EventDefinition[])
      expect([definition.type, definition.orderingKey !== undefined]).toEqual([definition.type, topics[definition.topic].ordered]);
  });

  it.each(Object.values(subscriptions).map((spec) => [spec.name, spec] as const))(
    '%s is a subscription every engine can keep',
    (name, spec) => {
      expect(name).toMatch(new RegExp(`^${spec.topic}\\.[a-z-]+$`));
      expect(spec.maxAttempts).toBeGreaterThanOrEqual(5);
      expect(spec.maxAttempts).toBeLessThanOrEqual(100);
      expect(spec.minBackoffMs).toBeLessThanOrEqual(spec.maxBackoffMs);
      expect(spec.maxBackoffMs).toBeLessThanOrEqual(600_000);
    },
  );
});
