import { isRockpoolError } from '@rockpool/contracts';
import {
  createLogger,
  loadConfig,
  problemReport,
  type Logger,
  type ConfigProblem,
  type PlatformConfig,
  type VariableName,
} from '@rockpool/service';
import { startApps, type App } from './app.js';
import { openPlatform } from './platform.js';

/** sysexits.h */
const exitUnavailable = 69;
const exitConfig = 78;

/**
 * The `main` of an app that is a process of its own: reads the configuration, opens the engine with this app's rights, serves until SIGTERM. Ends the process with 78
 * when a setting is wrong or missing, with 69 when the engine or the port cannot be had, with 0 after an orderly end.
 */
export async function runApp(app: App): Promise<void> {
  if (process.argv.includes('--help')) return void process.stdout.write(helpOf(app));
  const config = loadConfig();
  const problems = problemsOf(app, config);
  if (problems.length > 0) {
    process.stderr.write(problemReport(problems));
    process.exit(exitConfig);
  }
  try {
    const platform = await openPlatform(config, app.name, logOf(app, config));
    try {
      await startApps(app.name, platform, [app.module(platform)]);
    } catch (error) {
      await platform.close();
      throw error;
    }
  } catch (error) {
    const isOurs = isRockpoolError(error);
    process.stderr.write(
      `The ${app.name} cannot start: ${isOurs ? error.message : error instanceof Error ? error.stack : String(error)}\n`,
    );
    process.exit(isOurs ? exitUnavailable : 1);
  }
}

function logOf({ name: service }: App, config: PlatformConfig): Logger {
  const { ROCKPOOL_LOG_LEVEL: level, ROCKPOOL_LOG_FORMAT: format, GOOGLE_CLOUD_PROJECT: googleCloudProject } = config;
  return createLogger({ service, level, format, googleCloudProject });
}

/** What keeps this app from running alone with these settings. */
export function problemsOf(app: App, config: PlatformConfig): ConfigProblem[] {
  if (config.ROCKPOOL_ENGINE === 'embedded') {
    const problem = `is embedded, and that engine belongs to one process: the ${app.name} alone would find its data folder held, or hold it alone`;
    const remedy = 'Run all apps in one process with rockpool start, or set ROCKPOOL_ENGINE=google and GOOGLE_CLOUD_PROJECT.';
    return [{ variable: 'ROCKPOOL_ENGINE', problem, remedy }];
  }
  return Object.entries(app.needs?.(config) ?? {})
    .filter(([name]) => config[name as VariableName] === undefined)
    .map(([name, why]) => ({
      variable: name as VariableName,
      problem: `is missing, but the ${app.name} needs it: ${why}`,
      remedy: `Set ${name} (docs/configuration.md).`,
    }));
}

function helpOf({ name, summary }: App): string {
  return `The ${name} of Rockpool, as a process of its own: ${summary}

It takes no arguments. Configuration comes from the environment (docs/configuration.md), and has to name an engine that
several processes can share: ROCKPOOL_ENGINE=google. With the embedded engine, all apps run in one process: rockpool start
`;
}
