import { runApp } from '@rockpool/platform';
import { ingressApp } from './app.js';

await runApp(ingressApp);
