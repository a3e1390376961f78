import { giveBackAttemptsFunction } from '../../functions/lease/give-back-attempts.ts'

/** Claims are given back in batches, and leave a mark for a claim that arrives later. */
export function claimsGivenBack(schema: string): string[] {
  return [giveBackAttemptsFunction(schema)]
}
