export { costUsd, type CallUsage, type ModelPrice } from './cost.js';
export { demoLabel } from './demo-model.js';
export { difficultyOf, type Difficulty } from './difficulty.js';
export { Models, type ModelRequest, type ResolvedModel } from './models.js';
export {
  AnswerBrokeOff,
  streamModel,
  type ModelAnswer,
  type ModelDelta,
  type ModelMessage,
  type ModelPrompt,
  type ModelToolCall,
  type ToolMessage,
  type ToolOffer,
} from './model-stream.js';
export type { ModelKeys, ModelsConfig, Provider } from './provider.js';
export { failureOf, type FailureKind, type ProviderFailure } from './provider-failure.js';
export { estimateTokens } from './tokens.js';
