import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleImage, type Bundle } from './bundle.js';
import { warmCompileCache } from './compile-cache.js';
import { imageNamed, images, type ImageSource } from './images.js';
import { UpToDate } from './up-to-date.js';

const root = fileURLToPath(new URL('../../../..', import.meta.url));

const usage = `Usage: node tools/deploy/dist/images/main.js <app>|all --out <folder> [--if-changed] [--warm] [--json]

Writes what an image of <app> holds: one program that needs Node and nothing else. Build first: npm run build

  <app>           ${images.map(({ name }) => name).join(', ')}
  all             each of them, in apps/<app>/dist of the folder
  --out <folder>  where to; it is emptied first
  --if-changed    do nothing when the build and the packages are those that the folder was written from
  --warm          start it once, so that the code Node compiles is kept with it
  --json          print what the bundle holds as JSON
  --help          print this
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    'if-changed': { type: 'boolean', default: false },
    warm: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const [name = ''] = positionals;

if (values.help) {
  process.stdout.write(usage);
} else {
  const image = imageNamed(name);
  const chosen = name === 'all' ? images : image ? [image] : [];
  if (chosen.length === 0 || positionals.length > 1 || values.out === undefined) {
    process.stderr.write(usage);
    process.exitCode = 64;
  } else {
    const out = resolve(values.out);
    await write(chosen, (image) => (name === 'all' ? join(out, 'apps', image.name, 'dist') : out));
  }
}

async function write(chosen: readonly ImageSource[], folderOf: (image: ImageSource) => string): Promise<void> {
  const upToDate = values['if-changed'] ? new UpToDate(root) : undefined;
  const bundles: Bundle[] = [];
  for (const image of chosen) {
    const folder = folderOf(image);
    let bundle = upToDate?.bundleIn(folder);
    if (!bundle) {
      bundle = await bundleImage(image, { root, folder });
      if (values.warm) await warmCompileCache(bundle);
      upToDate?.note(bundle);
      if (!values.json) process.stdout.write(summary(bundle));
    }
    bundles.push(bundle);
  }
  if (values.json) process.stdout.write(`${JSON.stringify(name === 'all' ? bundles : bundles[0], null, 2)}\n`);
}

function summary({ image, folder, bytesAtStart, bytes, files }: Bundle): string {
  const kilobytes = (count: number) => `${Math.round(count / 1024)} KiB`;
  return `${image}: ${kilobytes(bytes)} of JavaScript in ${files.length} files, ${kilobytes(bytesAtStart)} of it read at start, in ${folder}\n`;
}
