import { endedAttempts2 } from '../functions/lease/ended-attempts-2.ts'

/** Limits how many locks are held at once by the statement that asks which attempts have ended. */
export function boundedLocks(schema: string): string[] {
  return [endedAttempts2(schema)]
}
