export { dispatcherApp, dispatcherModule } from './app.js';
export type { DispatcherOptions } from './dispatcher.module.js';
