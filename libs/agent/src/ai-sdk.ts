import type * as Ai from 'ai';

let loading: Promise<typeof Ai> | undefined;

/** Loads the AI SDK the first time it is needed: it takes about as long to load as the rest of an app. */
export function aiSdk(): Promise<typeof Ai> {
  loading ??= import('ai').then((sdk) => {
    // It would print provider warnings (an unsupported setting, say) to the console, past our log.
    (globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false;
    return sdk;
  });
  return loading;
}
