import { runApp } from '@rockpool/platform';
import { dispatcherApp } from './app.js';

await runApp(dispatcherApp);
