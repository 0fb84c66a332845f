import type { TurnUsage } from '@rockpool/conversations';
import { costUsd, type CallUsage, type ResolvedModel } from '@rockpool/models';

/** Adds up what the model calls of one turn used, those that failed half-way included. */
export class TurnMeter {
  private model: string | undefined;
  private inputTokens = 0;
  private outputTokens = 0;
  /** Becomes unknown with the first call whose price is unknown, and stays so: part of a sum is not the sum. */
  private cost: number | undefined = 0;

  add(model: ResolvedModel, usage: CallUsage): void {
    this.model = model.id;
    this.inputTokens += usage.inputTokens;
    this.outputTokens += usage.outputTokens;
    const cost = costUsd(usage, model.price);
    this.cost = this.cost === undefined || cost === undefined ? undefined : this.cost + cost;
  }

  /** `undefined` while nothing was used. The model is that of the last call: the one that answered. */
  usage(): TurnUsage | undefined {
    if (this.model === undefined) return undefined;
    return {
      model: this.model,
      inputTokens: this.inputTokens,
      outputTokens: this.outputTokens,
      ...(this.cost !== undefined && { costUsd: this.cost }),
    };
  }
}
