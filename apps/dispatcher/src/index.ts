export { BusWakes } from './bus-wakes.js';
export { DispatcherModule, type DispatcherOptions } from './dispatcher.module.js';
