import type { Settle } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import { heldJson, heldLife } from './held-json.ts'
import { attemptFields, verdictFields } from './verdict-fields.ts'

/** Files how deliveries ended; `lost` is a JSON list of slots. */
export function settleDeliveries(schema: string): (request: Settle) => Statement<{ lost: string }> {
  const text = `select ${schema}.settle($1::text, ${schema}.still_held($2::json, $4::text),
      $3::json) as lost`
  return ({ consumer, slots, settled }) => ({
    name: 'settle',
    text,
    values: [
      consumer,
      heldJson(slots),
      JSON.stringify(
        settled.map(({ id, slot, verdict, attempt }) => ({
          delivery: id,
          slot,
          ...verdictFields(verdict),
          ...attemptFields(attempt),
        })),
      ),
      heldLife(slots),
    ],
  })
}
