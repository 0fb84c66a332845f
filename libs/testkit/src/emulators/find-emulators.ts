import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** How to start one of Google's emulators: the command line but for its address. */
export interface FoundEmulator {
  readonly command: string;
  readonly args: readonly string[];
  readonly missing?: undefined;
}

/** Why an emulator cannot be started here, for the title of the tests that are skipped over it. */
export interface MissingEmulator {
  readonly missing: string;
}

/** The official emulators of this machine. */
export interface Emulators {
  readonly pubsub: FoundEmulator | MissingEmulator;
  readonly firestore: FoundEmulator | MissingEmulator;
}

/** Looks for the emulators in the platform folder of the Google Cloud SDK whose `gcloud` is on the PATH, and for the Java that runs them. */
export function findEmulators(path = process.env['PATH'] ?? ''): Emulators {
  const java = onPath(path, 'java');
  if (java === undefined) return neither('there is no java on the PATH');
  const gcloud = onPath(path, 'gcloud');
  if (gcloud === undefined) return neither('there is no gcloud on the PATH, next to which the emulators are installed');
  const platform = join(dirname(dirname(realpathSync(gcloud))), 'platform');
  const pubsub = jarIn(join(platform, 'pubsub-emulator', 'lib'), /^cloud-pubsub-emulator-.*-all\.jar$/);
  const firestore = jarIn(join(platform, 'cloud-firestore-emulator'), /^cloud-firestore-emulator\.jar$/);
  return {
    pubsub: pubsub === undefined ? notInstalled('pubsub-emulator') : { command: java, args: ['-jar', pubsub] },
    firestore:
      firestore === undefined
        ? notInstalled('cloud-firestore-emulator')
        : {
            command: java,
            // Its ready line is translated; English is the one that is waited for.
            args: ['-Duser.language=en', '-cp', firestore, 'com.google.cloud.datastore.emulator.firestore.CloudFirestore', 'start'],
          },
  };
}

function neither(missing: string): Emulators {
  return { pubsub: { missing }, firestore: { missing } };
}

function notInstalled(component: string): MissingEmulator {
  return { missing: `the Google Cloud SDK has no ${component} (gcloud components install ${component})` };
}

function onPath(path: string, name: string): string | undefined {
  const files = path.split(delimiter).filter(Boolean);
  return files.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

function jarIn(folder: string, pattern: RegExp): string | undefined {
  if (!existsSync(folder)) return undefined;
  const jar = readdirSync(folder).find((name) => pattern.test(name));
  return jar && join(folder, jar);
}
