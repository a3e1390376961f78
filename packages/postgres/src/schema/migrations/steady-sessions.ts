import { claimLeaseFunction3 } from '../functions/lease/claim-lease-3.ts'
import { completeAttemptFunction3 } from '../functions/lease/complete-attempt-3.ts'
import { claimFunction3 } from '../functions/store/claim-3.ts'
import { completeFunction3 } from '../functions/store/complete-3.ts'
import { endAttemptFunction3 } from '../functions/store/end-attempt-3.ts'
import { refuseFunction3 } from '../functions/store/refuse-3.ts'

/**
 * What a handler sets in its session changes neither what its request is kept under nor whether its
 * transaction is known again; and no completion waits for a locked table for longer than a claim
 * does.
 */
export function steadySessions(schema: string): string[] {
  return [
    claimFunction3(schema),
    claimLeaseFunction3(schema),
    completeFunction3(schema),
    completeAttemptFunction3(schema),
    endAttemptFunction3(schema),
    refuseFunction3(schema),
  ]
}
