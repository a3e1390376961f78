import { claimLeaseFunction7 } from '../../functions/lease/claim-lease-7.ts'
import { restartLease2 } from '../../functions/lease/restart-lease-2.ts'

/**
 * A claim can name the attempt that it takes over, and an attempt that was given back while it was
 * being committed is over.
 */
export function attemptsByName(schema: string): string[] {
  return [claimLeaseFunction7(schema), restartLease2(schema)]
}
