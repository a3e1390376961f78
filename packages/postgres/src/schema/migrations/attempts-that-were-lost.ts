import { abandonAttempt2 } from '../functions/lease/abandon-attempt-2.ts'
import { completeAttempt4 } from '../functions/lease/complete-attempt-4.ts'
import { releaseAttempt2 } from '../functions/lease/release-attempt-2.ts'
import { renewLeases2 } from '../functions/lease/renew-leases-2.ts'
import { restoreAttemptFunction } from '../functions/lease/restore-attempt.ts'

/** An attempt of lease mode that a failover took back is written again by whoever runs it. */
export function attemptsThatWereLost(schema: string): string[] {
  return [
    restoreAttemptFunction(schema),
    abandonAttempt2(schema),
    completeAttempt4(schema),
    releaseAttempt2(schema),
    renewLeases2(schema),
  ]
}
