import { advance3 } from '../../functions/log/advance-3.ts'
import { releaseSlots2 } from '../../functions/log/release-slots-2.ts'
import { leaseSlots4 } from '../../superseded/log/lease-slots-4.ts'

/**
 * A relay that leaves keeps nothing, one that has just renewed its lease stays, and a cursor moves
 * to each later position.
 */
export function relaysThatLeave(schema: string): string[] {
  return [releaseSlots2(schema), leaseSlots4(schema), advance3(schema)]
}
