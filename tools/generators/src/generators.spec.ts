import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WorkspaceCopy, type CommandResult } from '@rockpool/workspace';

const projects = ['agent', 'channels', 'cloud', 'cloud-embedded', 'contracts', 'conversations', 'jobs', 'models', 'tenancy', 'testkit'];

interface TestResults {
  readonly testResults: readonly { readonly assertionResults: readonly { readonly title: string; readonly status: string }[] }[];
}

/** What the generators write or change. */
const generated = [
  'libs/agent/src/tools',
  'libs/channels/src/google-chat',
  'libs/channels/src/index.ts',
  'libs/channels/src/reply-channels.ts',
  'libs/contracts/src',
  'libs/tenancy/src/admission.ts',
];

describe('the generators, on a copy of the workspace', () => {
  let workspace: WorkspaceCopy;
  const generate = (generator: string, ...options: string[]): Promise<CommandResult> =>
    workspace.run('nx', 'generate', `@rockpool/generators:${generator}`, '--no-interactive', ...options);

  /** Runs specs of a library and tells their titles, passed and failed. */
  async function specs(library: string, pattern: string): Promise<Record<'passed' | 'failed', string[]>> {
    const { stdout } = await workspace.run(
      'jest',
      '--rootDir',
      `libs/${library}`,
      '--config',
      `libs/${library}/jest.config.mjs`,
      '--json',
      pattern,
    );
    const results = (JSON.parse(stdout) as TestResults).testResults.flatMap(({ assertionResults }) => assertionResults);
    const titled = (status: string) => results.filter((result) => result.status === status).map(({ title }) => title);
    return { passed: titled('passed'), failed: titled('failed') };
  }

  beforeAll(async () => {
    workspace = await WorkspaceCopy.create([...projects.map((name) => `libs/${name}`), 'tools/generators']);
    const runs: [generator: string, ...options: string[]][] = [
      ['event', '--name', 'MemberJoined'],
      ['event', 'ReminderDue', '--topic', 'conversation-wakes'],
      ['channel', '--name', 'google-chat', '--limit', '4096'],
      ['tool', 'find_flights', '--description', "Finds flights. Don't book them."],
    ];
    for (const run of runs) expect(await generate(...run)).toMatchObject({ code: 0 });
  });
  afterAll(() => workspace.remove());

  it('leave sources that compile, specs included', async () => {
    // One program instead of a build of every library on the way.
    const settings = {
      extends: './tsconfig.base.json',
      compilerOptions: { composite: false, noEmit: true, types: ['node'] },
      include: generated,
    };
    await workspace.write('tsconfig.generated.json', JSON.stringify(settings));
    const { code, stdout } = await workspace.run('tsc', '--project', 'tsconfig.generated.json');
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  });

  it('leave sources that lint and are formatted', async () => {
    expect(await workspace.run('nx', 'show', 'projects')).toMatchObject({ code: 0 });
    expect(await workspace.run('eslint', ...generated)).toMatchObject({ code: 0, stdout: '' });
    expect(await workspace.run('prettier', '--check', ...generated)).toMatchObject({ code: 0 });
  });

  describe('for an event', () => {
    it('define it, with a topic of its own unless it is given one', async () => {
      expect(await workspace.read('libs/contracts/src/member-joined.ts')).toContain("type: 'dev.rockpool.members.member-joined.v1'");
      expect(await workspace.read('libs/contracts/src/topics.ts')).toContain('members: { ordered: true,');
      expect(await workspace.read('libs/contracts/src/reminder-due.ts')).toContain("topic: 'conversation-wakes'");
    });

    it('put it into the catalogue and announce its schema', async () => {
      const snapshot = JSON.parse(await workspace.read('libs/contracts/schemas/dev.rockpool.members.member-joined.v1.json')) as object;
      expect(snapshot).toMatchObject({ 'x-topic': 'members', 'x-ordered': true, required: ['tenantId'] });
      const { passed, failed } = await specs('contracts', 'schemas');
      expect(passed).toEqual(
        expect.arrayContaining([
          expect.stringContaining('dev.rockpool.members.member-joined.v1'),
          expect.stringContaining('dev.rockpool.reminders.reminder-due.v1'),
          'lists every event once',
          'orders the messages of ordered topics, and only those',
          'is kept for no event that is gone',
        ]),
      );
      // A new channel changes what messages may say: that is for a person to announce.
      expect(failed).toEqual([expect.stringContaining('dev.rockpool.inbound.message-received.v1')]);
    });
  });

  describe('for a channel', () => {
    it('make it known and keep it closed: what is left to write fails the contract', async () => {
      const { passed, failed } = await specs('channels', 'google-chat');
      expect(passed).toEqual(
        expect.arrayContaining([
          'refuses everything while the endpoint has no secret, or a blank one',
          'refuses a body of which one bit is another',
          'of any length are sent in chunks that fit, without the loss of a word',
        ]),
      );
      expect(failed).toEqual(
        expect.arrayContaining([
          'lets a genuine request in, under every enabled version of the secret',
          'keep what a person wrote, and who, where and that it is for the bot',
          'never come from the bot itself',
          'are there: every type it can send, from its documentation',
        ]),
      );
    });
  });

  describe('for a tool', () => {
    it('offer it to models and fail its spec until it is written', async () => {
      expect(await workspace.read('libs/agent/src/tools/index.ts')).toMatch(/return \[[^\]]*,\s*findFlights,?\s*\]/);
      expect(await specs('agent', 'find-flights')).toEqual({
        passed: ['takes a query of at most 500 characters'],
        failed: ['answers with what the model is to read'],
      });
    });
  });

  it.each([
    ['event', 'MemberJoined', 'member-joined.ts exists'],
    ['channel', 'Google_Chat', 'does not match'],
    ['tool', 'current-time', 'current-time.ts exists'],
  ])('refuse %s %s and change nothing', async (generator, name, problem) => {
    const { code, stdout, stderr } = await generate(generator, name);
    expect({ code, said: stdout + stderr }).toEqual({ code: 1, said: expect.stringContaining(problem) });
    expect(stdout).not.toMatch(/CREATE|UPDATE/);
  });
});
