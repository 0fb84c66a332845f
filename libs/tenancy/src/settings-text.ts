import { stringify } from 'yaml';

/** Settings as one would write them in `tenants.yaml`. */
export function settingsText(settings: object): string {
  return stringify(settings, { lineWidth: 120, flowCollectionPadding: true });
}
