export { startApps, type App } from './app.js';
export { type Audiences } from './audiences.js';
export * from './bulk/bulk-operation.js';
export { BulkWorker } from './bulk/bulk-worker.js';
export { BusWakes } from './bus-wakes.js';
export { indexes, openEngine, type Engine, type EngineUse } from './engine.js';
export { leasesOf } from './leases.js';
export { openPlatform, platformOver, type Platform } from './platform.js';
export { problemsOf, runApp } from './run-app.js';
