/**
 * The environment as the operator's shell gave it: `env://NAME` in tenants.yaml can name any variable of it. Settings of the platform itself come from
 * `loadConfig` alone.
 */
// eslint-disable-next-line no-restricted-properties -- names that no configuration can know
export const environment: Readonly<Record<string, string | undefined>> = process.env;
