import type { Advance, FailedDelivery } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import { type Place, placeOf, seqOf } from '../place.ts'
import { epochNumber, heldLife, lifeOfAll } from './held-json.ts'
import { attemptFields, verdictFields } from './verdict-fields.ts'

/** Moves cursors and files what failed, in one statement; `lost` is a JSON list of slots. */
export function advance(schema: string): (move: Advance) => Statement<{ lost: string }> {
  const text = `select ${schema}.advance($1::text, ${schema}.still_held($2::json, $4::text),
      $3::json) as lost`
  return ({ consumer, slots }) => {
    const failed = slots.flatMap((slot) => slot.failed)
    const inOrder = [...slots].sort((one, other) => one.slot - other.slot)
    const places = inOrder.map(({ position }) => placeOf(position))
    const moves = inOrder.map(({ slot, epoch, calm }, at) => {
      const { from, to, floor, seq } = places[at] as Place
      return { slot, epoch: epochNumber(epoch), f: from, t: to, o: floor, s: seq, calm }
    })
    const life = lifeOfAll([heldLife(slots), ...places.map((place) => place.life)])
    return {
      name: 'advance',
      text,
      values: [
        consumer,
        JSON.stringify(moves),
        failed.length === 0 ? null : JSON.stringify(failed.map(failedFields)),
        life,
      ],
    }
  }
}

function failedFields({ event, verdict, attempt }: FailedDelivery): object {
  return {
    slot: event.slot,
    seq: seqOf(event.position),
    id: event.id,
    type: event.type,
    source: event.source,
    subject: event.subject,
    ordering_key: event.orderingKey,
    data: event.data,
    headers: JSON.parse(event.headers),
    occurred_at: event.occurredAtMs,
    ...verdictFields(verdict),
    ...attemptFields(attempt),
  }
}
