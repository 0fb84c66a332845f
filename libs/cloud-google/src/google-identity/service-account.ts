/** Address of the service account that an app runs as. */
export function serviceAccountOf(projectId: string, service: string): string {
  return `${service}@${projectId}.iam.gserviceaccount.com`;
}
