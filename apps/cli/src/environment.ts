/**
 * The environment as the operator's shell gave it: `env://NAME` in tenants.yaml can name any variable of it. Settings of the platform itself come from
 * `loadConfig` alone.
 */
// eslint-disable-next-line no-restricted-properties -- names that no configuration can know
export const environment: Readonly<Record<string, string | undefined>> = process.env;

const { ROCKPOOL_ADMIN_TOKEN, ...others } = environment;

/** The operators' token, for an instance whose data folder is not at hand. */
export const adminTokenGiven: string | undefined = ROCKPOOL_ADMIN_TOKEN || undefined;

/** What `loadConfig` is given: the token is the command line's own and no setting of an instance. */
export const configEnvironment: Readonly<Record<string, string | undefined>> = others;
