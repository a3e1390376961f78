import { eventsUpTo, readEvents6 } from '../../functions/log/read-events-6.ts'
import { subscribe2 } from '../../functions/log/subscribe-2.ts'
import { presentSnapshot3 } from '../../functions/server/present-snapshot-3.ts'

/** A reading needs one round trip, however many transactions and subtransactions have begun. */
export function numbersUsedUp(schema: string): string[] {
  return [presentSnapshot3(schema), eventsUpTo(schema), readEvents6(schema), subscribe2(schema)]
}
