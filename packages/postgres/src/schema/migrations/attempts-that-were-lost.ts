import { restoreAttemptFunction } from '../functions/lease/restore-attempt.ts'
import { abandonAttempt2 } from '../superseded/lease/abandon-attempt-2.ts'
import { completeAttempt4 } from '../superseded/lease/complete-attempt-4.ts'
import { releaseAttempt2 } from '../superseded/lease/release-attempt-2.ts'
import { renewLeases2 } from '../superseded/lease/renew-leases-2.ts'

/**
 * If a failover loses an attempt of lease mode, the process that runs the attempt writes it again.
 */
export function attemptsThatWereLost(schema: string): string[] {
  return [
    restoreAttemptFunction(schema),
    abandonAttempt2(schema),
    completeAttempt4(schema),
    releaseAttempt2(schema),
    renewLeases2(schema),
  ]
}
