import { parseArgs } from 'node:util';
import type { EngineName } from '../installation.js';

/** Channels that the chaos run can use; each stands for a way to keep "one visible reply": two edit a message in place, one has a native key. */
export const chaosChannels = ['telegram', 'slack', 'http'] as const;
export type ChaosChannel = (typeof chaosChannels)[number];

/** What a chaos run does. The same options make the same plan; what the machine does meanwhile differs. */
export interface ChaosOptions {
  readonly engine: EngineName;
  readonly messages: number;
  /** SIGKILLs, spread over the run. */
  readonly kills: number;
  /** SIGTERMs under load besides. */
  readonly terms: number;
  readonly seed: string;
  readonly channels: readonly ChaosChannel[];
  readonly tenants: number;
  /** Messages a second, at most. */
  readonly rate: number;
  /** Share of the product's requests to a channel that are done and then not answered. */
  readonly dropped: number;
  /** Share of events that are delivered more than once. */
  readonly repeated: number;
  /** Share of messages that start work in the background, some with builders or a reminder of its own, some cancelled in its midst. */
  readonly jobs: number;
  /** Share of messages that ask for a reminder some seconds ahead. */
  readonly reminders: number;
  /** `strict`: the simulators keep the rate limits of the real services. */
  readonly limits: 'strict' | 'off';
}

export const defaultOptions: ChaosOptions = {
  engine: 'embedded',
  messages: 2_000,
  kills: 10,
  terms: 2,
  seed: '1',
  channels: chaosChannels,
  tenants: 20,
  rate: 40,
  dropped: 0.05,
  repeated: 0.15,
  jobs: 0.05,
  reminders: 0.03,
  limits: 'off',
};

export const usage = `npm run chaos -- [options]

Starts the built product beside simulated channels, sends it messages, kills it again and again, and judges what people see in the end.

  --engine <name>     embedded: one process; google: two of each app, on the emulators (${defaultOptions.engine})
  --messages <n>      messages to send (${defaultOptions.messages})
  --kills <n>         SIGKILLs spread over the run (${defaultOptions.kills})
  --terms <n>         SIGTERMs besides (a fifth of the kills)
  --seed <text>       the same seed makes the same plan (${defaultOptions.seed})
  --channels <list>   of ${chaosChannels.join(',')} (all)
  --tenants <n>       tenants; each fifth is on the shared Telegram bot (${defaultOptions.tenants})
  --rate <n>          messages a second, at most (${defaultOptions.rate})
  --dropped <share>   of the product's requests are done but not answered (${defaultOptions.dropped})
  --repeated <share>  of events come more than once (${defaultOptions.repeated})
  --jobs <share>      of messages start work in the background (${defaultOptions.jobs})
  --reminders <share> of messages ask for a reminder some seconds ahead (${defaultOptions.reminders})
  --limits strict|off whether the simulators keep the real rate limits (${defaultOptions.limits})
  --json <file>       writes the result there
  --log <file>        writes the last lines of what the product printed there

Exit codes: 0 every promise held, 1 one was broken, 2 the command makes no sense, 130 stopped.
`;

/** The command line's options, and where the result goes. Throws an error whose message is for the person who typed them. */
export function parseOptions(args: readonly string[]): { options: ChaosOptions; json?: string; log?: string; help: boolean } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      engine: { type: 'string' },
      messages: { type: 'string' },
      kills: { type: 'string' },
      terms: { type: 'string' },
      seed: { type: 'string' },
      channels: { type: 'string' },
      tenants: { type: 'string' },
      rate: { type: 'string' },
      dropped: { type: 'string' },
      repeated: { type: 'string' },
      jobs: { type: 'string' },
      reminders: { type: 'string' },
      limits: { type: 'string' },
      json: { type: 'string' },
      log: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const kills = number('kills', values.kills, 0, defaultOptions.kills);
  const options: ChaosOptions = {
    engine: engineOf(values.engine),
    messages: number('messages', values.messages, 1, defaultOptions.messages),
    kills,
    terms: number('terms', values.terms, 0, Math.round(kills / 5)),
    seed: values.seed ?? defaultOptions.seed,
    channels: channelsOf(values.channels),
    tenants: number('tenants', values.tenants, 1, defaultOptions.tenants),
    rate: number('rate', values.rate, 1, defaultOptions.rate),
    dropped: share('dropped', values.dropped, defaultOptions.dropped),
    repeated: share('repeated', values.repeated, defaultOptions.repeated),
    jobs: share('jobs', values.jobs, defaultOptions.jobs),
    reminders: share('reminders', values.reminders, defaultOptions.reminders),
    limits: limitsOf(values.limits),
  };
  const { json, log, help = false } = values;
  return { options, help, ...(json !== undefined && { json }), ...(log !== undefined && { log }) };
}

function number(name: string, given: string | undefined, least: number, fallback: number): number {
  if (given === undefined) return fallback;
  const value = Number(given);
  if (!Number.isInteger(value) || value < least) throw new Error(`--${name} is a whole number from ${least}, not "${given}"`);
  return value;
}

function share(name: string, given: string | undefined, fallback: number): number {
  if (given === undefined) return fallback;
  const value = Number(given);
  if (!(value >= 0 && value <= 0.5)) throw new Error(`--${name} is a share from 0 to 0.5, not "${given}"`);
  return value;
}

function channelsOf(given: string | undefined): readonly ChaosChannel[] {
  if (given === undefined) return chaosChannels;
  const wanted = new Set(given.split(','));
  const known = chaosChannels.filter((name) => wanted.has(name));
  if (known.length !== wanted.size) throw new Error(`--channels is a list of ${chaosChannels.join(',')}, not "${given}"`);
  return known;
}

function engineOf(given: string | undefined): EngineName {
  if (given === undefined) return defaultOptions.engine;
  if (given === 'embedded' || given === 'google') return given;
  throw new Error(`--engine is embedded or google, not "${given}"`);
}

function limitsOf(given: string | undefined): 'strict' | 'off' {
  if (given === undefined || given === 'off') return 'off';
  if (given === 'strict') return 'strict';
  throw new Error(`--limits is strict or off, not "${given}"`);
}
