import { loadConfig, type PlatformConfig } from '@rockpool/service';
import { configEnvironment } from './environment.js';

/** The configuration as the environment and `--data-dir` say. Ends the process with 78 when it is wrong. */
export function configuration(dataDir: string | undefined): PlatformConfig {
  return loadConfig(configEnvironment, { ROCKPOOL_DATA_DIR: dataDir });
}
