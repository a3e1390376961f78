import { endedAttempts2 } from '../functions/lease/ended-attempts-2.ts'

/** A question about many attempts that holds few locks at once. */
export function boundedLocks(schema: string): string[] {
  return [endedAttempts2(schema)]
}
