export { WebController } from './web.controller.js';
export { webProviders } from './web.providers.js';
