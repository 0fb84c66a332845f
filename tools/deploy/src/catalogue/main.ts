import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryFolder } from '../repository.js';
import { catalogueFiles } from './catalogue-files.js';

for (const [path, content] of Object.entries(catalogueFiles())) {
  writeFileSync(join(repositoryFolder, path), content);
  process.stdout.write(`${path}\n`);
}
