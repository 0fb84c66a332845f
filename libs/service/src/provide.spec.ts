import { Module } from '@nestjs/common';
import { Blobs, Documents, Identity, MessageBus, Secrets, Tasks } from '@rockpool/cloud';
import { describe, expect, it } from '@jest/globals';
import { CLOUD, provide } from './index.js';
import { openCloud, start } from './testing/probe.js';

const GREETING = Symbol('greeting');

class Greeter {
  constructor(
    readonly documents: Documents,
    readonly greeting: string,
    readonly bus?: MessageBus,
  ) {}
}

describe('a plain class', () => {
  it('is given its dependencies in the order of its constructor', async () => {
    @Module({ providers: [{ provide: GREETING, useValue: 'hello' }, provide(Greeter, Documents, GREETING, MessageBus)] })
    class App {}
    const cloud = await openCloud();
    const { app } = await start(App, { cloud });
    const greeter = app.get(Greeter);
    expect(greeter).toBeInstanceOf(Greeter);
    expect(greeter.greeting).toBe('hello');
    expect(greeter.documents).toBe(cloud.documents);
    expect(greeter.bus).toBe(cloud.bus);
  });

  it('is not given what its constructor does not ask for', () => {
    // @ts-expect-error -- the first parameter is Documents
    provide(Greeter, MessageBus, GREETING);
    // @ts-expect-error -- the second parameter is missing
    provide(Greeter, Documents);
    expect(provide(Greeter, Documents, GREETING).inject).toEqual([Documents, GREETING]);
  });
});

describe('the ports of the cloud', () => {
  it('are injectable everywhere by their abstract classes', async () => {
    @Module({})
    class App {}
    const cloud = await openCloud();
    const { app } = await start(App, { cloud });
    const ports = [MessageBus, Documents, Tasks, Blobs, Secrets, Identity].map((port) => app.get(port as typeof Documents) as unknown);
    expect(ports.map((port) => Object.values(cloud).includes(port))).toEqual([true, true, true, true, true, true]);
    expect(app.get(CLOUD)).toBe(cloud);
  });
});
