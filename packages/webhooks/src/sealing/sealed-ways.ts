import type { SealKeys } from '@oncekey/core'
import type { EndpointTls } from '../dialing/endpoint-tls.ts'
import type { StoredSecret } from '../statements/secrets.ts'
import { openSecret } from './sealed-secret.ts'

/**
 * Opens an endpoint's own headers and certificates. Throws `seal-key-missing` or `seal-broken`, as
 * opening a signing secret does.
 */
export function openWays(
  { headers, tls }: { readonly headers: StoredSecret | null; readonly tls: StoredSecret | null },
  endpointId: string,
  { seal }: { readonly seal: SealKeys | undefined },
): { readonly headers: Record<string, string>; readonly tls: EndpointTls | undefined } {
  return {
    headers: headers === null ? {} : JSON.parse(openSecret(headers, endpointId, seal, 'headers')),
    tls: tls === null ? undefined : JSON.parse(openSecret(tls, endpointId, seal, 'tls')),
  }
}
