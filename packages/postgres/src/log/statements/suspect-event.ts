import type { EventLog } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import { epochNumber, heldLife } from './held-json.ts'

/** Counts a start on a cursor; no row where it is somebody else's. */
export function suspectEvent(
  schema: string,
): (request: Parameters<EventLog['suspect']>[0]) => Statement<{ starts: string }> {
  const text = `select * from ${schema}.suspect($1::text, $2::smallint,
      case when ${schema}.life() = $5::text then $3::bigint else -1 end, $4::text)`
  return ({ consumer, slot, eventId }) => ({
    name: 'suspect',
    text,
    values: [consumer, slot.slot, epochNumber(slot.epoch), eventId, heldLife([slot])],
  })
}
