import { claimLeaseFunction } from '../superseded/lease/claim-lease-2.ts'
import { refuseFunction } from '../superseded/store/refuse-2.ts'

/** In every mode, decisions about a key use a snapshot that is newer than the key's lock. */
export function freshSnapshots(schema: string): string[] {
  return [claimLeaseFunction(schema), refuseFunction(schema)]
}
