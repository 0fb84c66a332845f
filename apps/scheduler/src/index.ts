export { schedulerApp } from './app.js';
