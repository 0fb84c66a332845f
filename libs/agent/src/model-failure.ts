import { RetryLater, TerminalError } from '@rockpool/contracts';
import { AnswerBrokeOff, failureOf, type ProviderFailure, type ResolvedModel } from '@rockpool/models';

/** The provider says that the prompt is longer than it takes: the caller sends less. */
export class PromptTooLong extends TerminalError {}

/** The model did not say anything for too long. */
export class ModelSilent extends Error {}

/** What to make of a failed model call. `undefined` when it was not the provider that failed. */
export function failureOfCall(error: unknown): ProviderFailure | undefined {
  return error instanceof ModelSilent || error instanceof AnswerBrokeOff ? { kind: 'network', reason: error.message } : failureOf(error);
}

/** True when the very same call may go better. */
export function isPassing({ kind }: ProviderFailure): boolean {
  return kind === 'busy' || kind === 'network';
}

const retryTurnMs = 15_000;

/** The error a turn ends with when its model call cannot be had. Messages are for the operator: what failed, and what to set or wait for. */
export function turnErrorOf(failure: ProviderFailure, model: ResolvedModel, cause: unknown): Error {
  const says = `model ${model.id}: ${failure.reason}`;
  switch (failure.kind) {
    case 'key':
      return new TerminalError(
        `${says}. The provider does not accept the key; check the platform's or the tenant's key for ${model.provider}`,
        { cause },
      );
    case 'account':
      return new TerminalError(`${says}. The provider's account has no credit or quota left`, { cause });
    case 'model':
      return new TerminalError(`${says}. The provider knows no such model, or the base URL is wrong`, { cause });
    case 'refused':
      return new TerminalError(`${says}. The provider refuses the request itself`, { cause });
    case 'too_long':
      return new PromptTooLong(`${says}. The prompt is longer than the model takes`, { cause });
    case 'busy':
    case 'network':
      return new RetryLater(failure.retryAfterMs ?? retryTurnMs, `${says}. The provider does not answer`, { cause });
  }
}
