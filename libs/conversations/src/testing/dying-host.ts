// A host whose process dies in the middle of every run of a message "poison".
// usage: node --import <load-sources.mjs> dying-host.ts <folder of the documents>
import { RetryLater } from '@rockpool/contracts';
import { openHost } from './host.js';
import { echo } from './scripted-runtime.js';

const host = await openHost({ folder: process.argv[2]!, holder: `host-${process.pid}`, mayBeAlive: () => false });
// Nothing gets out of this process: what the person sees is what the next one says.
host.channel.before = () => {
  throw new RetryLater(60_000, 'the channel is down');
};
host.runtime.script = async function* (turn) {
  if (turn.message.text === 'poison') process.kill(process.pid, 'SIGKILL');
  yield* echo(turn);
};
await host.drive();
