import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { appNames, apps, queues, subscriptions, topics } from '@rockpool/contracts';
import { metaOf, variableNames, type VariableName } from '@rockpool/service';
import { repositoryFolder } from '../repository.js';
import { catalogueFiles } from './catalogue-files.js';
import { catalogue } from './catalogue.js';
import { expiringCollections } from './expiring-collections.js';

const sourceOf = (path: string) => readFileSync(join(repositoryFolder, path), 'utf8');

describe('the catalogue that Terraform reads', () => {
  it.each(Object.entries(catalogueFiles()))('is what the code says: %s (npm run catalogue -w tools/deploy)', (path, content) => {
    expect(sourceOf(path)).toBe(content);
  });

  it('has every topic, subscription, queue and app', () => {
    const made = catalogue();
    expect(Object.keys(made.topics).sort()).toEqual(Object.keys(topics).sort());
    expect(Object.keys(made.subscriptions).sort()).toEqual(
      Object.values(subscriptions)
        .map(({ name }) => name)
        .sort(),
    );
    expect(Object.keys(made.queues).sort()).toEqual(Object.keys(queues).sort());
    expect(Object.keys(made.apps)).toEqual([...appNames]);
  });

  it('keeps to what Pub/Sub allows', () => {
    for (const subscription of Object.values(catalogue().subscriptions)) {
      expect(subscription.maxDeliveryAttempts).toBeGreaterThanOrEqual(5);
      expect(subscription.maxDeliveryAttempts).toBeLessThanOrEqual(100);
      expect(subscription.ackDeadlineSeconds).toBeGreaterThanOrEqual(10);
      expect(subscription.ackDeadlineSeconds).toBeLessThanOrEqual(600);
      expect(Number.parseFloat(subscription.maximumBackoff)).toBeLessThanOrEqual(600);
      expect(Buffer.byteLength(subscription.filter)).toBeLessThanOrEqual(256);
    }
  });
});

describe('the environment of apps', () => {
  const settings = variableNames.filter((name) => metaOf(name).group !== 'Emulators');
  const set = new Set(appNames.flatMap((name): string[] => [...apps[name].variables, ...apps[name].secretVariables]));

  /** What no service is given, and why. */
  const notSet: Readonly<Partial<Record<VariableName, string>>> = {
    PORT: 'Cloud Run sets it',
    K_SERVICE: 'Cloud Run sets it',
    XDG_CONFIG_HOME: 'only the embedded engine has a key file',
    ROCKPOOL_DATA_DIR: 'only the embedded engine has a data folder',
    ROCKPOOL_KEY_FILE: 'only the embedded engine has a key file',
    ROCKPOOL_SPOOL_DIR: 'a service has no disk that outlives it',
    ROCKPOOL_CREATE_TOPOLOGY: 'Terraform makes the topology',
    ROCKPOOL_HOST: 'its default is right on Cloud Run',
    ROCKPOOL_SUPERVISED: 'its default is right on Cloud Run',
    ROCKPOOL_SHUTDOWN_TIMEOUT_MS: 'its default is right on Cloud Run',
    ROCKPOOL_LOG_FORMAT: 'its default is right on Cloud Run',
    ROCKPOOL_LEASE_MS: 'its default is right on Cloud Run',
    OTEL_SERVICE_NAME: 'its default is right on Cloud Run',
    OTEL_EXPORTER_OTLP_HEADERS: 'the collector beside the app needs none',
    OPENAI_BASE_URL: 'models of the big providers need none',
    ROCKPOOL_OPENAI_COMPATIBLE_MODEL: 'models of the big providers need none',
    ROCKPOOL_TELEGRAM_API_URL: 'the real one is the default',
    ROCKPOOL_SLACK_API_URL: 'the real one is the default',
  };

  it('has only settings that the platform knows', () => {
    expect([...set].filter((name) => !(variableNames as readonly string[]).includes(name))).toEqual([]);
  });

  it('has every setting, but those that are left out for a reason', () => {
    expect(settings.filter((name) => !set.has(name) && notSet[name] === undefined)).toEqual([]);
    expect(Object.keys(notSet).filter((name) => set.has(name))).toEqual([]);
  });

  it('gives secrets as secrets, and nothing else', () => {
    for (const name of appNames) {
      for (const variable of apps[name].variables)
        expect([variable, metaOf(variable as VariableName).secret]).toEqual([variable, undefined]);
      for (const variable of apps[name].secretVariables)
        expect([variable, metaOf(variable as VariableName).secret]).toEqual([variable, true]);
    }
  });
});

describe('documents that expire', () => {
  it('are in collections that Firestore is told of', () => {
    const writers = globSync(['libs/*/src/**/*.ts', 'apps/*/src/**/*.ts'], { cwd: repositoryFolder })
      .filter((path) => !/\.spec\.ts$|\/testing\/|^libs\/cloud(-\w+)?\/|^libs\/testkit\/|^apps\/(bench|e2e|cli\/src\/migrate)\//.test(path))
      .filter((path) => /\bexpireAt:/.test(sourceOf(path)));
    expect(writers.map((path) => basename(path)).sort()).toEqual(Object.keys(expiringCollections).sort());
  });
});
