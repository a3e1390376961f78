import type { EventLog } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import { heldJson, heldLife } from './held-json.ts'

/** Gives slots back. */
export function releaseSlots(
  schema: string,
): (request: Parameters<EventLog['release']>[0]) => Statement {
  const text = `select ${schema}.release_slots($1::text, $2::text,
      ${schema}.still_held($3::json, $5::text), $4::boolean)`
  return ({ consumer, relay, slots, leaving }) => ({
    name: 'release_slots',
    text,
    values: [consumer, relay, heldJson(slots), String(leaving), heldLife(slots)],
  })
}
