export { renderHtml } from './html.js';
