import { runApp } from '@rockpool/platform';
import { consoleApp } from './app.js';

await runApp(consoleApp);
