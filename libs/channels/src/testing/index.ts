export * from './channel.contract.js';
