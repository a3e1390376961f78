import { giveBackAttemptsFunction } from '../../functions/lease/give-back-attempts.ts'

/** Claims are given back in batches, and are marked for one that comes later. */
export function claimsGivenBack(schema: string): string[] {
  return [giveBackAttemptsFunction(schema)]
}
