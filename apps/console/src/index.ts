export { consoleApp, consoleModule, controlPlaneOf } from './app.js';
export { adminToken, readAdminToken } from './admin-token.js';
export * from './bulk-operation.js';
export * from './control-plane.js';
export { endpointsOf } from './endpoints.js';
export { LocalControlPlane } from './local-control-plane.js';
