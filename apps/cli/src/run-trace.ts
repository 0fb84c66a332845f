import { renderWaterfall } from '@rockpool/service';
import { CommandFailure, exitCodes } from './exit-codes.js';
import { withInstance, type InstanceOptions } from './instance.js';
import { print, printJson } from './output.js';

/** Prints the trace that a trace, event or turn id names; `tenant/event`, as the inbox prints it, will do. */
export async function runTrace(id: string, options: InstanceOptions): Promise<void> {
  const spans = await withInstance(options, ({ controlPlane }) => controlPlane.trace(id.slice(id.indexOf('/') + 1)));
  if (options.json) return printJson(spans);
  if (spans.length === 0) {
    throw new CommandFailure(exitCodes.problem, `No trace of ${id} is kept. It takes a second to appear, and old ones are dropped.`);
  }
  const { columns = 100, isTTY } = process.stdout;
  print(renderWaterfall(spans, { width: columns, color: isTTY && process.stdout.hasColors() }));
}
