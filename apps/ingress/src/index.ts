export { IngressModule, type IngressOptions } from './ingress.module.js';
