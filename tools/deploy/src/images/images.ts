import { appNames } from '@rockpool/contracts';

/** What an image runs. */
export interface ImageSource {
  /** Name of the image, and `ARG APP` of the Dockerfile. */
  readonly name: string;
  /** The compiled entry, relative to the repository. */
  readonly entry: string;
  /** Arguments the entry gets when the container is started without any. */
  readonly defaultArguments: readonly string[];
}

/** Every image the Dockerfile can build: the whole product in one process, and each app alone. */
export const images: readonly ImageSource[] = [
  { name: 'rockpool', entry: 'apps/cli/dist/main.js', defaultArguments: ['start'] },
  ...appNames.map((name) => ({ name, entry: `apps/${name}/dist/main.js`, defaultArguments: [] })),
];

/** The image of that name; `undefined` when there is none. */
export function imageNamed(name: string): ImageSource | undefined {
  return images.find((image) => image.name === name);
}
