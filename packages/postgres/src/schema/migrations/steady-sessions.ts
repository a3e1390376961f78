import { claimFunction3 } from '../functions/store/claim-3.ts'
import { endAttemptFunction3 } from '../functions/store/end-attempt-3.ts'
import { claimLeaseFunction3 } from '../superseded/lease/claim-lease-3.ts'
import { completeAttemptFunction3 } from '../superseded/lease/complete-attempt-3.ts'
import { completeFunction3 } from '../superseded/store/complete-3.ts'
import { refuseFunction3 } from '../superseded/store/refuse-3.ts'

/**
 * Settings that a handler changes in its session no longer affect under which name its request is
 * stored, or whether its transaction is recognised. A completion waits for a locked table no longer
 * than a claim does.
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
