export { consoleApp, consoleModule, controlPlaneOf } from './app.js';
export { adminToken, readAdminToken } from './admin-token.js';
export type { BulkAction, BulkOperation, BulkPlan, BulkRequest } from '@rockpool/platform';
export * from './control-plane.js';
export * from './job-control.js';
export { endpointsOf } from './endpoints.js';
export { LocalControlPlane } from './local-control-plane.js';
