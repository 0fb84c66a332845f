import { describe, expect, it } from '@jest/globals';
import { Random } from '@rockpool/testkit';
import { hastily, PatientTenant } from './acting.js';
import { House, type Bots } from './house.js';
import { randomOperations } from './operations.js';
import { tenantsInTraces, viewOf, type View } from './view.js';

// Another seed makes another script; one that fails fails again.
const seed = process.env['ISOLATION_SEED'] ?? '1';
const operations = 30;

/** Alice's script in a house of its own, with Bob doing as he likes meanwhile or not at all. Resolves with what there is to see of her in the end. */
async function live(bots: Bots, company: 'alone' | 'with bob'): Promise<View> {
  const house = await House.open(bots, `${seed}/${bots}/${company}`);
  try {
    const script = randomOperations(new Random(`${seed}/alice`), operations, 'alice');
    house.teach(script);
    const bob = new Bob(house);
    const alice = new PatientTenant(house, 'alice');
    for (const operation of script) {
      if (company === 'with bob') bob.goOn();
      await alice.perform(operation);
    }
    if (company === 'with bob') await bob.concluded();
    expect(await tenantsInTraces(house, 'alice')).toEqual(['alice']);
    return await viewOf(house, 'alice');
  } finally {
    await house.close();
  }
}

/** Does things of his own at the same time, up to four for each of Alice's, waiting for nothing. */
class Bob {
  private readonly random = new Random(`${seed}/bob`);
  private readonly script = randomOperations(this.random, operations * 4, 'bob');
  private readonly tried: number[] = [];
  private doing: Promise<void> = Promise.resolve();

  constructor(private readonly house: House) {
    house.teach(this.script);
  }

  goOn(): void {
    const next = this.script.splice(0, this.random.integer(0, 4));
    const beside = this.random.integer(0, 5);
    this.doing = this.doing.then(async () => {
      for (const operation of next) await hastily(this.house, 'bob', operation);
      if (beside === 0) this.tried.push(...(await this.house.impersonate(this.random.integer(1, 20))));
      if (beside === 1) await this.haveReplayed();
    });
    // Told when it is waited for, in the end.
    this.doing.catch(() => undefined);
  }

  /** Resolves when all of it is over; he was there, and got nowhere else than home. */
  async concluded(): Promise<void> {
    await this.doing;
    await new PatientTenant(this.house, 'bob').settled();
    expect((await this.house.turns('bob')).length).toBeGreaterThan(operations);
    expect(new Set(this.tried)).toEqual(new Set([401]));
    const seen = JSON.stringify([this.house.screens('bob'), this.house.asked('bob').map(({ messages }) => messages)]);
    expect(seen).not.toMatch(/of alice|alice likes/);
  }

  private async haveReplayed(): Promise<void> {
    const turns = await this.house.turns('bob');
    const finished = turns.filter(({ state, command }) => state === 'done' && command === undefined);
    if (finished.length > 0) await this.house.replay('bob', this.random.pick(finished).eventId);
  }
}

describe('a tenant', () => {
  it.each<[string, Bots]>([
    ['with a bot of its own', 'own'],
    ['on the shared bot', 'shared'],
  ])(`%s sees and is shown the same, whether another with the same ids is busy meanwhile or not (seed ${seed})`, async (_, bots) => {
    const alone = await live(bots, 'alone');
    const withBob = await live(bots, 'with bob');
    expect(withBob).toEqual(alone);
    expect(JSON.stringify(withBob)).not.toMatch(/of bob|bob likes/);
  });
});
