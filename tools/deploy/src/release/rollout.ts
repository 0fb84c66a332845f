import { RockpoolError } from '@rockpool/contracts';
import { gcloud, type CloudRun, type Service } from './cloud-run.js';
import { commandLine } from './commands.js';
import { answersReady, type Patience } from './smoke-test.js';

export interface RolloutOptions {
  /** With its tag or digest. */
  readonly image: string;
  /** Name under which the new revision is reached while it gets no other requests. */
  readonly tag: string;
  /** Whether this machine can reach the service at all. */
  readonly isPublic: boolean;
  readonly patience: Patience;
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
}

/**
 * Brings an image to one service: a revision without traffic, a test of it, the traffic, another test. When anything fails, or somebody interrupts, the traffic is where
 * it was before, and the error says so; only when even that cannot be done does it say what to type.
 */
export async function rollOut(run: CloudRun, name: string, options: RolloutOptions): Promise<void> {
  const { tell, signal, tag } = options;
  const before = await run.service(name, signal);
  let isShifted = false;
  try {
    tell(`${name}: new revision without traffic`);
    await run.deploy(name, options.image, tag, signal);
    const candidate = (await run.service(name, signal)).tagged[tag];
    if (!candidate) throw new RockpoolError('internal', `${name} has no revision tagged ${tag} after it was deployed`);
    await test(run, candidate, options);

    tell(`${name}: traffic to ${candidate.revision}`);
    isShifted = true;
    await run.shift(name, { [candidate.revision]: 100 }, signal);
    const now = await run.service(name, signal);
    if (now.serving[candidate.revision] !== 100)
      throw new RockpoolError('internal', `${name} does not send all its traffic to ${candidate.revision}`);
    if (options.isPublic && now.url !== undefined) await answersReady(now.url, signal, options.patience);
  } catch (error) {
    const where = isShifted ? await bringBack(run, before, tell) : `${name}: the traffic was not touched`;
    await untag(run, name, options);
    throw new RockpoolError('unavailable', `${error instanceof Error ? error.message : String(error)}\n${where}`, { cause: error });
  }
  await untag(run, name, options);
}

/** A service that only the project's own network reaches is tested by Cloud Run itself: its startup probe asks for /readyz before a revision counts as ready. */
async function test(run: CloudRun, { revision, url }: { revision: string; url: string }, options: RolloutOptions): Promise<void> {
  if (options.isPublic) {
    options.tell(`${revision}: asking ${url}/readyz`);
    return answersReady(url, options.signal, options.patience);
  }
  options.tell(`${revision}: cannot be reached from here; asking Cloud Run whether its startup probe found /readyz well`);
  const reason = await run.whyNotReady(revision, options.signal);
  if (reason !== undefined) throw new RockpoolError('unavailable', `${revision} is not ready: ${reason}`);
}

async function bringBack(run: CloudRun, before: Service, tell: (line: string) => void): Promise<string> {
  const revisions = Object.keys(before.serving);
  if (revisions.length === 0) return `${before.name}: no revision had traffic before, so there is none to go back to`;
  tell(`${before.name}: traffic back to ${revisions.join(', ')}`);
  try {
    await run.shift(before.name, before.serving);
    return `${before.name}: the traffic is back at ${revisions.join(', ')}`;
  } catch (error) {
    const line = commandLine('gcloud', gcloud.shift(before.name, before.serving, run.place));
    return `${before.name}: THE TRAFFIC COULD NOT BE BROUGHT BACK (${String(error)}). Type:\n  ${line}`;
  }
}

/** The tag is of use only while a revision is tested. One that stays does no harm. */
async function untag(run: CloudRun, name: string, { tag, tell }: RolloutOptions): Promise<void> {
  try {
    const { tagged } = await run.service(name);
    if (tagged[tag]) await run.untag(name, tag);
  } catch (error) {
    tell(`${name}: the tag ${tag} stays (${error instanceof Error ? error.message.split('\n', 1)[0] : String(error)})`);
  }
}
