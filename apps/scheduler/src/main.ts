import { runApp } from '@rockpool/platform';
import { schedulerApp } from './app.js';

await runApp(schedulerApp);
