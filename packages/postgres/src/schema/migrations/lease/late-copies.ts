import { abandonAttempt4 } from '../../functions/lease/abandon-attempt-4.ts'
import { claimLeaseFunction6 } from '../../superseded/lease/claim-lease-6.ts'

/** A claim that was sent twice takes nothing once the attempt of its other copy has ended. */
export function lateCopies(schema: string): string[] {
  return [claimLeaseFunction6(schema), abandonAttempt4(schema)]
}
