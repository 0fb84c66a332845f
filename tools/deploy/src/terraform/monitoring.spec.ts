import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { subscriptions } from '@rockpool/contracts';
import { repositoryFolder } from '../repository.js';
import { readTerraform, type TerraformModule } from './terraform.fixture.js';

let monitoring: TerraformModule;
beforeAll(async () => {
  monitoring = (await readTerraform()).get('modules/monitoring')!;
});

const sourceOf = (path: string) => readFileSync(join(repositoryFolder, path), 'utf8');
const dashboardAndAlerts = () => ['dashboard.tf', 'alerts.tf'].map((name) => sourceOf(`infra/modules/monitoring/${name}`)).join('\n');

describe('metrics that are made of log lines', () => {
  it('are of a line that the agent host writes, and of fields that it has', () => {
    const turns = String(monitoring.locals.get('turns'));
    const line = /jsonPayload\.message=\\?"([^"\\]+)/.exec(turns)![1]!;
    const written = sourceOf('apps/agent-host/src/turn-line.ts');
    expect(written).toContain(`'${line}'`);
    const usage = /interface TurnUsage \{([^}]*)\}/.exec(sourceOf('libs/conversations/src/agent-runtime.ts'))![1]!;
    const fields = Object.values(monitoring.locals.get('turn_metrics') as Record<string, { field: string }>).map(({ field }) => field);
    expect(fields).toHaveLength(4);
    for (const field of fields) expect(`${written}${usage}`).toMatch(new RegExp(`\\b${field}\\??:`));
    expect(written).toContain('tenantId');
  });

  it('are of lines that name the app, for errors', () => {
    expect(monitoring.resources.get('google_logging_metric.errors')!['filter']).toContain('jsonPayload.service:* AND severity>=ERROR');
    expect(sourceOf('libs/service/src/log.ts')).toContain('base: { service: options.service }');
  });

  it('are the only custom ones that charts and alerts look at', () => {
    const made = Object.keys(monitoring.locals.get('turn_metrics') as object).map((name) => `rockpool_${name}`);
    const used = [...dashboardAndAlerts().matchAll(/user_(rockpool_[a-z_]+?)(?:_bucket|_sum)?\{/g)].map(([, name]) => name!);
    expect(used.length).toBeGreaterThan(5);
    expect([...new Set(used)].filter((name) => ![...made, 'rockpool_errors'].includes(name))).toEqual([]);
  });
});

describe('dashboard and alerts', () => {
  it('show how soon messages are acknowledged, how long they wait, dead letters, turns, errors and tokens', () => {
    expect(Object.keys(monitoring.locals.get('thresholds') as object)).toEqual(['ack-latency', 'backlog-age', 'dead-letters']);
    expect(Object.keys(monitoring.locals.get('queries') as object)).toEqual(['error-rate', 'token-spend', 'turn-latency']);
    expect(monitoring.resources.has('google_monitoring_dashboard.rockpool')).toBe(true);
  });

  it('lead to the traces', () => {
    expect(dashboardAndAlerts().match(/\[Traces\]\(\$\{local\.traces_link\}\)/g)).toHaveLength(3);
  });

  it('watch a subscription that there is', () => {
    expect(sourceOf('infra/modules/rockpool/main.tf')).toContain(`receiving_subscription = "${subscriptions.receive.name}"`);
  });
});
