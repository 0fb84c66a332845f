import { AgentRuntime, type AgentEvent, type AgentTurn } from '../agent-runtime.js';
export type Script = (turn: AgentTurn, signal: AbortSignal) => AsyncIterable<AgentEvent>;
/** Answers as its script says, and remembers every turn it was given. */
export declare class ScriptedRuntime extends AgentRuntime {
  script: Script;
  readonly turns: AgentTurn[];
  constructor(script?: Script);
  run(turn: AgentTurn, signal: AbortSignal): AsyncIterable<AgentEvent>;
}
/** Says the message back. */
export declare function echo(turn: AgentTurn): AsyncIterable<AgentEvent>;
/** Says something, then waits until it is aborted. */
export declare function hang(first: string, started?: () => void): Script;
/** Fails with what `error` makes, the first `times` times, then echoes. */
export declare function failing(error: () => Error, times?: number): Script;
//# sourceMappingURL=scripted-runtime.d.ts.map
