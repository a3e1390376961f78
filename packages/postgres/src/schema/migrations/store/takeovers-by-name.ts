import { namedLeasedAttempt } from '../../functions/lease/leased-attempt.ts'
import { refuseFunction5 } from '../../functions/store/refuse-5.ts'
import { replaceAttempt3 } from '../../functions/store/replace-attempt-3.ts'

/**
 * A store in transaction mode names the attempt of lease mode that it takes over, needs no more
 * rights than for any request, and leaves a mark.
 */
export function takeoversByName(schema: string): string[] {
  return [namedLeasedAttempt(schema), replaceAttempt3(schema), refuseFunction5(schema)]
}
