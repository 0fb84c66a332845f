import { describe, expect, it } from '@jest/globals';
import { Faults } from './faults.js';

const request = (operation: string) => ({ operation, method: 'POST', path: `/${operation}`, headers: {}, body: 'token' });

describe('faults', () => {
  it('strike by name, pattern or decision, the first that was added first', () => {
    const faults = new Faults();
    faults.add({ kind: 'reset', match: 'send' });
    faults.add({ kind: 'delay', match: /^(?:send|edit)$/ });
    faults.add({ kind: 'status', match: ({ body }) => body === 'token' });
    expect(['send', 'edit', 'other'].map((name) => faults.strike(request(name))?.kind)).toEqual(['reset', 'delay', 'status']);
  });

  it('strike as often as told, then leave the others their turn', () => {
    const faults = new Faults();
    const fault = faults.add({ kind: 'reset', times: 2 });
    expect([1, 2, 3].map(() => faults.strike(request('x'))?.kind)).toEqual(['reset', 'reset', undefined]);
    expect(fault.hits).toBe(2);
  });

  it('strike with a probability that a seed repeats', () => {
    const run = () => {
      const faults = new Faults();
      faults.add({ kind: 'reset', probability: 0.05, seed: 'x' });
      return Array.from({ length: 1000 }, () => faults.strike(request('x')) !== undefined);
    };
    expect(run()).toEqual(run());
    const hits = run().filter(Boolean).length;
    expect(hits).toBeGreaterThan(25);
    expect(hits).toBeLessThan(80);
  });

  it('tell when they struck, and can be taken back', async () => {
    const faults = new Faults();
    const fault = faults.add({ kind: 'reset' });
    const struck = fault.struck(2);
    faults.strike(request('x'));
    faults.strike(request('x'));
    await struck;
    fault.remove();
    expect(faults.strike(request('x'))).toBeUndefined();
  });
});
