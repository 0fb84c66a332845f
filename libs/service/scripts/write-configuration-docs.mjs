// Writes .env.example and docs/configuration.md. Run after `tsc -b libs/service/tsconfig.lib.json`: node libs/service/scripts/write-configuration-docs.mjs
import { writeFileSync } from 'node:fs';
import { configurationPage, envExample } from '../dist/config-docs.js';

const root = new URL('../../../', import.meta.url);
writeFileSync(new URL('.env.example', root), envExample());
writeFileSync(new URL('docs/configuration.md', root), configurationPage());
