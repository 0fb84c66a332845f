import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleImage, type Bundle } from './bundle.js';
import { warmCompileCache } from './compile-cache.js';
import { imageNamed, images } from './images.js';

const root = fileURLToPath(new URL('../../../..', import.meta.url));

const usage = `Usage: node tools/deploy/dist/images/main.js <app> --out <folder> [--warm] [--json]

Writes what an image of <app> holds: one program that needs Node and nothing else. Build first: npm run build

  <app>           ${images.map(({ name }) => name).join(', ')}
  --out <folder>  where to; it is emptied first
  --warm          start it once, so that the code Node compiles is kept with it
  --json          print what the bundle holds as JSON
  --help          print this
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    warm: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  process.stdout.write(usage);
} else {
  const image = imageNamed(positionals[0] ?? '');
  if (!image || positionals.length > 1 || values.out === undefined) {
    process.stderr.write(usage);
    process.exitCode = 64;
  } else {
    const bundle = await bundleImage(image, { root, folder: resolve(values.out) });
    if (values.warm) await warmCompileCache(bundle);
    process.stdout.write(values.json ? `${JSON.stringify(bundle, null, 2)}\n` : summary(bundle));
  }
}

function summary({ image, folder, bytesAtStart, bytes, files }: Bundle): string {
  const kilobytes = (count: number) => `${Math.round(count / 1024)} KiB`;
  return `${image}: ${kilobytes(bytes)} of JavaScript in ${files.length} files, ${kilobytes(bytesAtStart)} of it read at start, in ${folder}\n`;
}
