import { claimLeaseFunction } from '../functions/lease/claim-lease.ts'
import { refuseFunction } from '../functions/store/refuse.ts'

/** In every mode, decisions about a key use a snapshot that is newer than the key's lock. */
export function freshSnapshots(schema: string): string[] {
  return [claimLeaseFunction(schema), refuseFunction(schema)]
}
