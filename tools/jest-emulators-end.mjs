/** Ends the emulators that this run has lent. */
export default async function endEmulators() {
  await globalThis.sharedEmulators?.stop();
}
