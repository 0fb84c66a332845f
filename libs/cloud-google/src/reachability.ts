import { connect } from 'node:net';

const patienceMs = 3_000;
/** Health is asked for every few seconds, by many. */
const rememberedMs = 2_000;

/** Something this process needs, and where it is: `host:port` or a URL. */
export interface Service {
  readonly name: string;
  readonly address: string;
}

/** Says which services cannot be reached. Whether this process may use them is another matter: that shows when it does. */
export class Reachability {
  #known: { at: number; problem: Promise<string | undefined> } | undefined;

  constructor(private readonly services: readonly Service[]) {}

  /** `undefined` when all answer. */
  problem(): Promise<string | undefined> {
    const now = Date.now();
    if (this.#known === undefined || now - this.#known.at > rememberedMs) this.#known = { at: now, problem: this.#look() };
    return this.#known.problem;
  }

  async #look(): Promise<string | undefined> {
    const problems = await Promise.all(this.services.map(async (service) => ((await answers(service.address)) ? [] : [service])));
    const away = problems.flat();
    return away.length === 0 ? undefined : away.map(({ name, address }) => `${name} does not answer at ${hostOf(address)}`).join('; ');
  }
}

function hostOf(address: string): string {
  return address.includes('://') ? new URL(address).host : address;
}

async function answers(address: string): Promise<boolean> {
  const { hostname, port, protocol } = new URL(address.includes('://') ? address : `http://${address}`);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: hostname, port: Number(port || (protocol === 'https:' ? 443 : 80)), timeout: patienceMs });
  socket.once('connect', () => resolve(true));
  socket.once('error', () => resolve(false));
  socket.once('timeout', () => resolve(false));
  const reached = await promise;
  socket.destroy();
  return reached;
}
