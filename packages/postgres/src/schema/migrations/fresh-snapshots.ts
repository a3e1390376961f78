import { claimLeaseFunction } from '../functions/lease/claim-lease.ts'
import { refuseFunction } from '../functions/store/refuse.ts'

/**
 * What decides about a key is read in a snapshot that is newer than the key's lock, in every mode.
 */
export function freshSnapshots(schema: string): string[] {
  return [claimLeaseFunction(schema), refuseFunction(schema)]
}
