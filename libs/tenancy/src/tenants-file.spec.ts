import { describe, expect, it } from '@jest/globals';
import { parseTenantsFile } from './tenants-file.js';

function problemsOf(text: string): string[] {
  const parsed = parseTenantsFile(text);
  return 'problems' in parsed ? parsed.problems.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`) : [];
}

describe('tenants.yaml', () => {
  it('reads the documented example, with numbers as ids and defaults filled in', () => {
    const parsed = parseTenantsFile(`
shared:
  telegram: { botToken: "secret://platform/telegram-bot-token", webhookSecret: "secret://platform/telegram-webhook-secret" }
tenants:
  bob:
    channels: { telegram: { shared: true, people: [67890] } }
  alice:
    plan: pro
    channels:
      telegram: { botToken: "env://TOKEN", webhookSecret: "file://./secret", dmPolicy: allowlist, allowFrom: ["12345"] }
      slack: { team: T0123, botToken: "secret://alice/slack-bot-token", signingSecret: "secret://alice/slack-signing-secret" }
`);
    expect(parsed).toMatchObject({
      file: {
        tenants: {
          bob: { plan: 'free', agent: { model: 'auto' }, channels: { telegram: { people: ['67890'], groups: [] } } },
          alice: { plan: 'pro', channels: { telegram: { shared: false, allowFrom: ['12345'] }, slack: { dmPolicy: 'open' } } },
        },
      },
    });
  });

  it('tells a mistyped setting at its place with the name that was probably meant', () => {
    expect(problemsOf('tenants:\n  bob:\n    dispayName: Bob\n')).toEqual([
      '3:5 tenants.bob.dispayName: unknown setting dispayName; did you mean displayName?',
    ]);
  });

  it('sees through two letters that changed places', () => {
    expect(problemsOf('tenants:\n  bob:\n    plna: pro\n')).toEqual(['3:5 tenants.bob.plna: unknown setting plna; did you mean plan?']);
  });

  it('knows the settings of the branch that was chosen', () => {
    const text =
      'shared: { telegram: { botToken: env://A, webhookSecret: env://B } }\ntenants:\n  bob:\n    channels:\n      telegram: { shared: true, peopel: [1] }\n';
    expect(problemsOf(text)).toEqual(['5:33 tenants.bob.channels.telegram.peopel: unknown setting peopel; did you mean people?']);
  });

  it('lists what is known where nothing is near', () => {
    expect(problemsOf('tenants: {}\nzzz: 1\n')).toEqual(['2:1 zzz: unknown setting zzz; known here: shared, alerts, tenants']);
  });

  it('tells every problem at once, in the order of the file', () => {
    const text = 'tenants:\n  bob:\n    plan: gold\n    suspended: maybe\n    agent: { model: gpt }\n  Alice: {}\n';
    expect(problemsOf(text)).toEqual([
      '3:5 tenants.bob.plan: must be free or starter or pro',
      '4:5 tenants.bob.suspended: must be a boolean, not text',
      '5:14 tenants.bob.agent.model: a model is auto, demo, or anthropic/…, openai/…, google/…, openai-compatible/…',
      '6:3 tenants.Alice: a tenant id has 1 to 40 of a-z, 0-9 and -, and neither begins nor ends with -',
    ]);
  });

  it('places what is missing at what it is missing from', () => {
    const text = 'tenants:\n  bob:\n    channels:\n      telegram:\n        botToken: env://TOKEN\n';
    expect(problemsOf(text)).toEqual(['4:7 tenants.bob.channels.telegram.webhookSecret: webhookSecret is missing']);
  });

  it('refuses a key that is there twice', () => {
    expect(problemsOf('tenants:\n  bob: {}\n  bob: {}\n')).toEqual(['3:3 : this key is here twice']);
  });

  it.each([
    '123456:AAFsecretvalue',
    '"*secretvalue"',
    '*secretvalue',
    '!secretvalue',
    '|secretvalue',
    '[secretvalue',
    'secret://secretvalue',
  ])('refuses %s in place of a reference and does not repeat it', (value) => {
    const problems = problemsOf(`tenants:\n  bob:\n    channels:\n      http:\n        secret: ${value}\n`);
    expect(problems).not.toEqual([]);
    expect(problems.join('\n')).not.toContain('secretvalue');
  });

  it('refuses a reference to the secret of another tenant, or of the platform', () => {
    const text =
      'tenants:\n  bob:\n    channels:\n      http: { secret: secret://alice/http-secret }\n  eve:\n    channels:\n      http: { secret: secret://platform/x }\n';
    expect(problemsOf(text)).toEqual([
      '4:15 tenants.bob.channels.http.secret: a tenant may refer only to its own secrets: secret://bob/…',
      '7:15 tenants.eve.channels.http.secret: a tenant may refer only to its own secrets: secret://eve/…',
    ]);
  });

  it('refuses a shared bot that the platform does not have, and the names the platform uses itself', () => {
    expect(problemsOf('tenants:\n  bob:\n    channels: { telegram: { shared: true } }\n  platform: {}\n')).toEqual([
      '3:29 tenants.bob.channels.telegram.shared: there is no shared telegram bot: describe it under shared.telegram',
      '4:3 tenants.platform: no tenant may be named platform: the platform uses this name itself',
    ]);
  });

  it.each([
    ['', '1:1 : the file must be a mapping, not empty'],
    ['- a\n', '1:1 : the file must be a mapping, not a list'],
    ['shared: {}\n', '1:1 tenants: tenants is missing'],
  ])('says what is wrong with %j', (text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  it('finds its way through an alias', () => {
    const text = 'tenants:\n  bob: &bob\n    channels: { http: { secret: env://A } }\n    agent: { model: x }\n  eve: *bob\n';
    expect(problemsOf(text)).toEqual([
      expect.stringMatching(/^4:14 tenants\.bob\.agent\.model/),
      expect.stringMatching(/^4:14 tenants\.eve\.agent\.model/),
    ]);
  });
});

describe('alerts', () => {
  const alerts = (text: string) => `alerts:\n${text}\ntenants: {}\n`;

  it('name where operators are told, with their secrets by reference', () => {
    const parsed = parseTenantsFile(
      alerts(
        [
          '  telegram: { botToken: "env://OPS_BOT", chatId: -100123 }',
          '  slack: { webhookUrl: "env://OPS_SLACK" }',
          '  webhook: { url: "https://ops.example.com/alerts", secret: "secret://platform/alerts-webhook-secret" }',
        ].join('\n'),
      ),
    );
    expect(parsed).toMatchObject({ file: { alerts: { telegram: { chatId: '-100123' }, slack: { webhookUrl: 'env://OPS_SLACK' } } } });
    expect(parseTenantsFile('tenants: {}\n')).toMatchObject({ file: { alerts: {} } });
  });

  it.each([
    [
      'a value in place of a reference',
      '  telegram: { botToken: "1:AAA", chatId: 1 }',
      /^2:15 alerts\.telegram\.botToken: a secret is given as/,
    ],
    [
      'another owner’s secret',
      '  webhook: { url: "https://x.example", secret: "secret://alice/http-secret" }',
      /only secrets of the platform/,
    ],
    ['a mistyped way', '  telgram: {}', /^2:3 alerts\.telgram: unknown setting telgram; did you mean telegram\?$/],
    ['a mistyped setting', '  slack: { webhookUrI: "env://A", channel: "C1" }', /unknown setting webhookUrI; did you mean webhookUrl\?/],
    ['two ways to Slack', '  slack: { webhookUrl: "env://A", channel: "C1" }', /through either webhookUrl, or botToken and channel/],
    ['half a way to Slack', '  slack: { botToken: "env://A" }', /through either webhookUrl, or botToken and channel/],
    ['an address that is none', '  webhook: { url: "ops", secret: "env://A" }', /^2:14 alerts\.webhook\.url: /],
  ])('%s is refused at its place', (_, text, problem) => {
    expect(problemsOf(alerts(text)).join('\n')).toMatch(problem);
  });
});
