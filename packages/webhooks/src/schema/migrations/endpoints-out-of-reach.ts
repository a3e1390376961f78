import { claimFromEndpointsInReach } from '../superseded/claim-webhooks-4.ts'

/** A worker that cannot send to an endpoint does not probe it either. */
export function endpointsOutOfReach(schema: string): string[] {
  return [claimFromEndpointsInReach(schema)]
}
