import { runApp } from '@rockpool/platform';
import { agentHostApp } from './app.js';

await runApp(agentHostApp);
