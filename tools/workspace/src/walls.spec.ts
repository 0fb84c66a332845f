import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WorkspaceCopy } from './workspace-copy.js';

const boundaries = '@nx/enforce-module-boundaries';

/** What must not get past `npm run lint`: the deed, the file it is done in, its code, the rule that stops it and words of its message. */
const violations: readonly (readonly [deed: string, file: string, code: string, rule: string, message: string])[] = [
  [
    'a domain library imports Nest',
    'libs/tenancy/src/a.ts',
    "import '@nestjs/common';",
    boundaries,
    'not allowed to import "@nestjs/common"',
  ],
  ['a domain library imports rxjs', 'libs/conversations/src/a.ts', "import 'rxjs';", boundaries, 'not allowed to import "rxjs"'],
  [
    'a domain library imports a tracing SDK',
    'libs/agent/src/a.ts',
    "import '@opentelemetry/sdk-trace';",
    boundaries,
    'not allowed to import',
  ],
  ['a domain library imports an adapter', 'libs/models/src/a.ts', "import '@rockpool/service';", boundaries, 'can only depend on'],
  ['an adapter imports an adapter', 'libs/channels/src/a.ts', "import '@rockpool/service';", boundaries, 'can only depend on'],
  ['an app imports an app', 'apps/dispatcher/src/a.ts', "import '@rockpool/agent-host';", boundaries, 'can only depend on'],
  [
    'an app loads an app later',
    'apps/dispatcher/src/b.ts',
    "export const host = () => import('@rockpool/agent-host');",
    boundaries,
    'can only',
  ],
  ['the contracts import a port', 'libs/contracts/src/a.ts', "import '@rockpool/cloud';", boundaries, 'Circular dependency'],
  ['the product imports a simulator', 'libs/cloud-embedded/src/a.ts', "import '@rockpool/testkit';", boundaries, 'can only depend on'],
  [
    'a path leads into another project',
    'libs/models/src/b.ts',
    "import '../../contracts/src/ids.js';",
    boundaries,
    'by a relative or absolute path',
  ],
  [
    'a project without tags imports anything',
    'libs/untagged/src/a.ts',
    "import '@rockpool/contracts';",
    boundaries,
    'A project without tags',
  ],
  ['a model SDK leaves models', 'libs/agent/src/b.ts', "import '@ai-sdk/openai';", 'no-restricted-syntax', 'stays behind its wall'],
  [
    'a model SDK is loaded later',
    'apps/agent-host/src/a.ts',
    "export const sdk = () => import('@ai-sdk/openai');",
    'no-restricted-syntax',
    'wall',
  ],
  [
    'a type of a model SDK is passed on',
    'libs/agent/src/c.ts',
    "export type { LanguageModelV4 } from '@ai-sdk/provider';",
    'no-restricted-syntax',
    'wall',
  ],
  [
    'a channel SDK leaves channels',
    'libs/service/src/a.ts',
    "import { Bot } from 'grammy';\nexport { Bot };",
    'no-restricted-syntax',
    'wall',
  ],
  ['a channel SDK is in an app', 'apps/ingress/src/a.ts', "import '@slack/web-api/dist/methods.js';", 'no-restricted-syntax', 'wall'],
  ['a Google SDK is in another driver', 'libs/cloud-embedded/src/b.ts', "import '@google-cloud/pubsub';", 'no-restricted-syntax', 'wall'],
  ['a Google SDK is in an app', 'apps/cli/src/a.ts', "export * from '@google-cloud/firestore';", 'no-restricted-syntax', 'wall'],
  ['an SDK is in a project without tags', 'libs/untagged/src/b.ts', "import '@ai-sdk/openai';", 'no-restricted-syntax', 'wall'],
  ['the environment is read', 'apps/ingress/src/b.ts', "export const port = process.env['PORT'];", 'no-restricted-properties', 'config.ts'],
  ['the environment is unpacked', 'libs/cloud/src/a.ts', 'export const { env } = process;', 'no-restricted-properties', 'config.ts'],
  ['the environment is imported', 'libs/service/src/b.ts', "export { env } from 'node:process';", 'no-restricted-imports', 'config.ts'],
];

/** What the walls are not to keep out. */
const allowed: readonly (readonly [deed: string, file: string, code: string])[] = [
  [
    'a domain library uses ports and other domains',
    'libs/conversations/src/z.ts',
    "import '@rockpool/cloud';\nimport '@rockpool/tenancy';",
  ],
  ['a driver implements its port', 'libs/cloud-embedded/src/z.ts', "import '@rockpool/cloud';"],
  ['the command line composes apps', 'apps/cli/src/z.ts', "import '@rockpool/ingress';\nimport '@rockpool/cloud-embedded';"],
  [
    'a spec uses a real driver and the simulators',
    'libs/tenancy/src/z.spec.ts',
    "import '@rockpool/cloud-embedded';\nimport '@rockpool/testkit';",
  ],
  ['models talk to providers', 'libs/models/src/z.ts', "export const sdk = () => import('@ai-sdk/openai');"],
  ['channels may use SDKs of channels', 'libs/channels/src/z.ts', "import 'grammy';"],
  ['the configuration reads the environment', 'libs/service/src/config.ts', 'export const environment = process.env;'],
];

interface LintedFile {
  readonly filePath: string;
  readonly messages: readonly { readonly ruleId: string | null; readonly message: string }[];
}

describe('npm run lint', () => {
  let workspace: WorkspaceCopy;
  let linted: Map<string, LintedFile['messages']>;
  let constraints: { sourceTag: string; onlyDependOnLibsWithTags: string[] }[];

  beforeAll(async () => {
    workspace = await WorkspaceCopy.create();
    await workspace.write('libs/untagged/package.json', JSON.stringify({ name: '@rockpool/untagged', type: 'module' }));
    for (const [, file, code] of [...violations, ...allowed]) await workspace.write(file, `${code}\n`);
    // As the script does: without a project graph the rule about boundaries would be silent.
    expect(await workspace.run('nx', 'show', 'projects')).toMatchObject({ code: 0, stderr: '' });
    const { stdout } = await workspace.run('eslint', '--format', 'json', 'apps', 'libs');
    linted = new Map((JSON.parse(stdout) as LintedFile[]).map((file) => [file.filePath.slice(workspace.root.length + 1), file.messages]));
    const printed = await workspace.run('eslint', '--print-config', 'apps/ingress/src/a.ts');
    const { rules } = JSON.parse(printed.stdout) as { rules: Record<string, [number, { depConstraints: typeof constraints }]> };
    constraints = rules[boundaries]![1].depConstraints;
  });
  afterAll(() => workspace.remove());

  it.each(violations)('fails when %s', (_deed, file, _code, rule, message) => {
    expect(linted.get(file)).toEqual(
      expect.arrayContaining([expect.objectContaining({ ruleId: rule, severity: 2, message: expect.stringContaining(message) })]),
    );
  });

  it.each(allowed)('passes when %s', (_deed, file) => {
    expect(linted.get(file)).toEqual([]);
  });

  it('has no rule for every project', () => {
    expect(constraints.length).toBeGreaterThan(0);
    for (const { sourceTag, onlyDependOnLibsWithTags } of constraints) {
      expect(sourceTag).toMatch(/^layer:[a-z]+$/);
      expect(onlyDependOnLibsWithTags.every((tag) => /^layer:[a-z]+$/.test(tag))).toBe(true);
      expect(onlyDependOnLibsWithTags).not.toEqual([]);
    }
  });
});
