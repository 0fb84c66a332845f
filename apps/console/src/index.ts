export { adminToken, readAdminToken } from './admin-token.js';
export * from './bulk-operation.js';
export { ConsoleModule, type ConsoleOptions } from './console.module.js';
export * from './control-plane.js';
export { endpointsOf } from './endpoints.js';
export { LocalControlPlane, type ControlPlaneParts } from './local-control-plane.js';
