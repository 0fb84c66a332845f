import { AgentRuntime, type AgentEvent, type AgentTurn } from '../agent-runtime.js';

export type Script = (turn: AgentTurn, signal: AbortSignal) => AsyncIterable<AgentEvent>;

/** Answers as its script says, and remembers every turn it was given. */
export class ScriptedRuntime extends AgentRuntime {
  readonly turns: AgentTurn[] = [];

  constructor(public script: Script = echo) {
    super();
  }

  override run(turn: AgentTurn, signal: AbortSignal): AsyncIterable<AgentEvent> {
    this.turns.push(turn);
    return this.script(turn, signal);
  }
}

/** Says the message back. */
export async function* echo(turn: AgentTurn): AsyncIterable<AgentEvent> {
  yield { type: 'text', delta: 'You said: ' };
  yield { type: 'text', delta: turn.message.text };
  yield { type: 'usage', usage: { model: 'test/echo', inputTokens: 3, outputTokens: 5 } };
}

/** Says something, then waits until it is aborted. */
export function hang(first: string, started: () => void = () => undefined): Script {
  return async function* (_turn, signal) {
    yield { type: 'text', delta: first };
    started();
    await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
  };
}

/** Fails with what `error` makes, the first `times` times, then echoes. */
export function failing(error: () => Error, times = Number.POSITIVE_INFINITY): Script {
  let failures = 0;
  return async function* (turn) {
    if (failures++ < times) throw error();
    yield* echo(turn);
  };
}

/** Runs as `script` says, but not before it was let go. `began` resolves once the first run has begun. */
export function held(script: Script = echo): { script: Script; began: Promise<void>; letGo: () => void } {
  const began = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  return {
    began: began.promise,
    letGo: gate.resolve,
    async *script(turn, signal) {
      began.resolve();
      await gate.promise;
      yield* script(turn, signal);
    },
  };
}
