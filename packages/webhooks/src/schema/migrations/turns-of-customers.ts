import { claimByCustomer } from '../functions/claim-webhooks-6.ts'
import { roomForEndpoint } from '../functions/webhook-room.ts'

/** Claims give each customer its share, and a customer has a limited number of endpoints. */
export function turnsOfCustomers(schema: string): string[] {
  return [claimByCustomer(schema), roomForEndpoint(schema)]
}
