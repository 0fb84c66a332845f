export { renderHtml } from './html.js';
export { plainText } from './plain-text.js';
