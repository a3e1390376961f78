import type { EventLog } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'

/** Counts a start on a cursor; no row where it is somebody else's. */
export function suspectEvent(
  schema: string,
): (request: Parameters<EventLog['suspect']>[0]) => Statement<{ starts: string }> {
  const text = `select * from ${schema}.suspect($1::text, $2::smallint, $3::bigint, $4::text)`
  return ({ consumer, slot, eventId }) => ({
    name: 'suspect',
    text,
    values: [consumer, slot.slot, slot.epoch, eventId],
  })
}
