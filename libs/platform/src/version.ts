/** The version of this release. Written down here, because an image holds no package.json to read it from. */
export const version = '0.1.0';
