import { Installation } from '../installation.js';
import { CrowdAtWork, crowds, genuineTraffic } from './crowds.js';
import { residentMiB } from './memory.js';

/** What is alive grows by about 20 MiB; the rest is garbage that the collector is in no hurry about, and differs from run to run. */
const mostGrowthMiB = 96;

/** Lets every crowd loose at an installation of its own, one after another and all at once, and prints a line of JSON for each. Resolves with the exit code. */
export async function meetCrowds(): Promise<number> {
  const rockpool = await Installation.open();
  const { pid } = rockpool.product;
  let updateId = 1;
  const traffic = async (count: number) => {
    updateId += count;
    const took = await genuineTraffic(rockpool.url, { count, firstUpdateId: updateId - count });
    return took.sort((one, other) => one - other)[Math.floor(took.length * 0.99)]!;
  };
  let good = true;
  try {
    const quietMiB = await warm(pid, () => Promise.all(Array.from({ length: 8 }, () => traffic(400))));
    const quietP99Ms = await traffic(1_000);
    for (const together of [...crowds.map((crowd) => [crowd]), crowds]) {
      const attack = together.map((crowd) => new CrowdAtWork(rockpool.url, crowd));
      const arrived = Promise.all(attack.map((crowd) => crowd.arrived()));
      let mostMiB = 0;
      const sampling = setInterval(() => void residentMiB(pid).then((now) => (mostMiB = Math.max(mostMiB, now))), 100);
      const p99Ms = await traffic(500);
      await arrived;
      clearInterval(sampling);
      mostMiB = Math.max(mostMiB, await residentMiB(pid));
      const answers = attack.flatMap((crowd) => crowd.answers).filter((answer) => !/^HTTP\/1.1 (?:4\d\d|503) /.test(answer));
      for (const crowd of attack) crowd.disperse();
      const growthMiB = mostMiB - quietMiB;
      good &&= growthMiB <= mostGrowthMiB && answers.length === 0 && rockpool.product.pid === pid;
      const name = together.length === 1 ? together[0]!.name : 'all at once';
      const connections = together.reduce((sum, crowd) => sum + crowd.size, 0);
      const figures = { crowd: name, connections, growthMiB, quietP99Ms: round(quietP99Ms), p99Ms: round(p99Ms), letIn: answers.length };
      process.stdout.write(`${JSON.stringify(figures)}\n`);
    }
    return good ? 0 : 1;
  } finally {
    await rockpool.close();
  }
}

/** Works until resident memory does not grow any more: what good traffic alone costs is no cost of an attack. Resolves with the memory in MiB. */
async function warm(pid: number | undefined, work: () => Promise<unknown>): Promise<number> {
  let most = await residentMiB(pid);
  for (let round = 0; round < 12; round++) {
    await work();
    const now = await residentMiB(pid);
    if (now < most + 3) break;
    most = now;
  }
  return most;
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
