import { beforeEach, describe, expect, it } from '@jest/globals';
import { HostBreaker, type HostFailure } from './host-breaker.js';

describe('the breaker of an agent host', () => {
  let now: number;
  let breaker: HostBreaker;
  beforeEach(() => {
    now = 1_000_000;
    breaker = new HostBreaker({ failures: 5, failingMs: 10_000, probeEveryMs: 10_000 }, () => now);
  });

  const fail = (kind: HostFailure['kind'] = 'no-answer', subject = 'alice/1') => breaker.failed({ kind, subject, reason: 'it is down' });
  const open = () => {
    for (let n = 0; n < 5; n++) fail();
  };
  const go = { kind: 'go' };

  it('lets every call through while calls go well', () => {
    for (let n = 0; n < 100; n++) {
      expect(breaker.admit()).toEqual(go);
      breaker.succeeded();
    }
    expect(breaker.state).toEqual({ kind: 'closed' });
  });

  it('opens after five calls that nobody answered', () => {
    for (let n = 0; n < 4; n++) fail();
    expect(breaker.state.kind).toBe('closed');
    fail();
    expect(breaker.state).toEqual({ kind: 'open', since: now, reason: 'it is down', probing: false });
    expect(breaker.admit()).toEqual({ kind: 'wait', ms: 10_000 });
  });

  it('opens after ten seconds with nothing but failures, however few', () => {
    fail();
    now += 10_000;
    fail();
    expect(breaker.state.kind).toBe('open');
  });

  it('opens at once when the host hangs', () => {
    fail('frozen');
    expect(breaker.state.kind).toBe('open');
  });

  it('begins to count anew with every call that goes well', () => {
    for (let n = 0; n < 20; n++) {
      fail();
      now += 4_000;
      breaker.succeeded();
    }
    expect(breaker.state.kind).toBe('closed');
  });

  it('stays closed when the host fails at one conversation only, and opens when it fails at many', () => {
    for (let n = 0; n < 50; n++) {
      fail('refusal', 'alice/poison');
      now += 1_000;
    }
    expect(breaker.state.kind).toBe('closed');
    for (let n = 0; n < 4; n++) fail('refusal', `bob/${n}`);
    expect(breaker.state.kind).toBe('open');
  });

  it('lets one probe through in ten seconds', () => {
    open();
    const probes: number[] = [];
    for (const end = now + 60_000; now < end; now += 100) {
      if (breaker.admit().kind === 'wait') continue;
      probes.push(now);
      fail();
    }
    expect(probes.map((at) => at - 1_000_000)).toEqual([10_000, 20_000, 30_000, 40_000, 50_000]);
  });

  it('lets nobody else through while a probe is under way', () => {
    open();
    now += 10_000;
    expect(breaker.admit()).toEqual(go);
    now += 60_000;
    expect(breaker.admit().kind).toBe('wait');
    expect(breaker.state).toMatchObject({ kind: 'open', probing: true });
  });

  it('closes when the probe goes well', () => {
    open();
    now += 10_000;
    breaker.admit();
    breaker.succeeded();
    expect(breaker.state).toEqual({ kind: 'closed' });
    expect(breaker.admit()).toEqual(go);
  });

  it('closes when a probe takes long and the host is alive, because a turn may take minutes', () => {
    open();
    now += 10_000;
    breaker.admit();
    now += 4_000;
    breaker.alive();
    expect(breaker.state.kind).toBe('open');
    now += 1_000;
    breaker.alive();
    expect(breaker.state.kind).toBe('closed');
  });

  it('is not closed by a host that is alive and refuses every call', () => {
    open();
    breaker.alive();
    now += 10_000;
    breaker.admit();
    fail('refusal');
    breaker.alive();
    expect(breaker.state.kind).toBe('open');
  });

  it('gives the place of a probe that we ended ourselves to the next, at the next time', () => {
    open();
    now += 10_000;
    breaker.admit();
    breaker.abandoned();
    expect(breaker.admit()).toEqual({ kind: 'wait', ms: 10_000 });
    now += 10_000;
    expect(breaker.admit()).toEqual(go);
  });
});
