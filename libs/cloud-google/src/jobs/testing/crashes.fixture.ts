type Hook = (point: string) => unknown;

let atPoint: Hook = () => undefined;

// Read once, when the contracts are loaded: whoever wants crashes imports this file first.
(globalThis as Record<symbol, unknown>)[Symbol.for('dev.rockpool.crash-point')] = ((point) => atPoint(point)) satisfies Hook;

/** Calls `hook` at every crash point from now on; without one nothing happens there. */
export function atCrashPoints(hook: Hook = () => undefined): void {
  atPoint = hook;
}
