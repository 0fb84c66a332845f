import type { ChannelCredentials } from '@grpc/grpc-js';
import type { AuthClient } from 'google-auth-library';

/** Client options that point it at a fake or an emulator. */
export interface PlaintextEndpoint {
  readonly apiEndpoint: string;
  readonly port: number;
  readonly sslCreds: ChannelCredentials;
  /** Credentials that are none: otherwise the client would look for real ones, and for Google's metadata server. */
  readonly authClient: AuthClient;
}

/** `host:port`, without TLS and without credentials; nothing when it is absent, which means the real service. */
export async function plaintextEndpoint(hostAndPort: string | undefined): Promise<PlaintextEndpoint | undefined> {
  if (hostAndPort === undefined) return undefined;
  const { hostname, port } = new URL(`http://${hostAndPort}`);
  const [{ credentials }, { PassThroughClient }] = await Promise.all([import('@grpc/grpc-js'), import('google-auth-library')]);
  return { apiEndpoint: hostname, port: Number(port || 80), sslCreds: credentials.createInsecure(), authClient: new PassThroughClient() };
}
