export { ingressApp } from './app.js';
export { IngressModule, type IngressOptions } from './ingress.module.js';
