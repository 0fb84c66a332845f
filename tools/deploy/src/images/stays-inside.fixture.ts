import { registerHooks } from 'node:module';

/**
 * Loaded before a program (`node --import`): whatever the program then imports or requires has to lie in the folder that `STAYS_INSIDE` names, or be part of Node. A module
 * elsewhere is as good as missing, so that a bundle cannot lean on an installation that happens to be around.
 */
const inside = process.env['STAYS_INSIDE'];

registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context);
    if (resolved.url.startsWith('node:') || (inside !== undefined && resolved.url.startsWith(inside))) return resolved;
    throw new Error(`${specifier} leads to ${resolved.url}, outside of ${inside}`);
  },
});
