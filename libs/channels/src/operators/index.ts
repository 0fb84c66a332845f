export { operatorWays, type OperatorAccess } from './operator-ways.js';
