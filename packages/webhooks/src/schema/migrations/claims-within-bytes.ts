import { claimWithinBytes } from '../functions/claim-webhooks-3.ts'

/** A claim is bounded in bytes, not only in deliveries. */
export function claimsWithinBytes(schema: string): string[] {
  return [claimWithinBytes(schema)]
}
